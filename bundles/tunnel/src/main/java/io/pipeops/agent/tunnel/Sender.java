package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;

/**
 * What a stream says to the peer. For the stream's thread alone, which is why there is exactly one
 * terminal message. All messages of one stream have one priority, so that they keep their order.
 */
final class Sender {
  private final String id;
  private final Reply reply;
  private final Gate gate;
  private Priority priority = Priority.CONTROL;
  private boolean finished;

  Sender(String id, Reply reply, Gate gate) {
    this.id = id;
    this.reply = reply;
    this.gate = gate;
  }

  /** Fixes the class before the first message; without it that is {@link Priority#CONTROL}. */
  void priority(Priority value) {
    priority = value;
  }

  boolean finished() {
    return finished;
  }

  /** Sends a message that others follow; waits while the link is slow. */
  void send(Payload payload) throws Failure, LinkLostException {
    gate.send(reply, Outgoing.text(priority, id, Envelopes.write(id, payload)));
  }

  /** Ends without a last word, because the link is gone. */
  void abandon() {
    finished = true;
    reply.release(id);
  }

  /** Sends the last message. The id is free again before the peer can know. */
  void finish(Payload payload) throws LinkLostException {
    if (finished) {
      throw new IllegalStateException("stream has ended");
    }
    finished = true;
    Outgoing message = Outgoing.text(priority, id, Envelopes.write(id, payload));
    reply.release(id);
    try {
      reply.send(message);
    } catch (InterruptedException e) {
      // Only a shutdown that would not wait any longer does that.
      Thread.currentThread().interrupt();
    }
  }
}
