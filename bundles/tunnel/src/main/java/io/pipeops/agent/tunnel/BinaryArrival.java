package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.BinaryBody;
import io.pipeops.agent.protocol.ProtocolException;
import java.nio.ByteBuffer;

/** A request body that comes in a binary message of its own, or does not (protocol 3.2.3). */
final class BinaryArrival implements StreamReceiver {
  private final String id;
  private final Gate gate;
  private volatile ByteBuffer body;

  BinaryArrival(String id, Gate gate) {
    this.id = id;
    this.gate = gate;
  }

  /** The body, with a position of its own; null while it has not come. */
  ByteBuffer body() {
    ByteBuffer now = body;
    return now == null ? null : now.duplicate();
  }

  @Override
  public void receive(Message message) {}

  @Override
  public void binary(ByteBuffer data) {
    try {
      BinaryBody message = BinaryBody.parse(data);
      if (message.requestId().equals(id)) {
        body = message.body();
        gate.signal();
      } else {
        lost("binary message belongs to another request");
      }
    } catch (ProtocolException e) {
      lost(e.getMessage());
    }
  }

  @Override
  public void lost(String reason) {
    gate.stop(
        new Failure(Failure.Reason.BODY, "invalid request body: " + TargetErrors.line(reason)));
  }
}
