package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens a stream for each {@code proxy_request}. Further messages of a stream go straight to it, so
 * those that arrive here belong to none and are dropped (protocol 3.3, 3.7).
 */
final class RequestHandler implements LinkHandler {
  /** The message types that this bundle handles. */
  static final String[] TYPES_HANDLED = {
    ProxyRequest.TYPE, ProxyRequestChunk.TYPE, ProxyRequestStreamEnd.TYPE, ProxyCancel.TYPE
  };

  private static final Logger LOG = LoggerFactory.getLogger(RequestHandler.class);

  /** What a stream takes beside its message. */
  private static final int OVERHEAD = 1024;

  /** How a request that does not parse may still say which form it wants its error in. */
  private static final Pattern STREAMED =
      Pattern.compile("\"supports_response_streaming\"\\s*:\\s*true");

  private final Tunnel tunnel;

  RequestHandler(Tunnel tunnel) {
    this.tunnel = tunnel;
  }

  @Override
  public void handle(Message message, Reply reply) {
    if (!message.type().equals(ProxyRequest.TYPE)) {
      LOG.debug(
          "Dropped {} of an unknown stream id={}",
          message.type(),
          TargetCall.line(message.requestId()));
    } else if (message.requestId().isEmpty()) {
      tunnel.meters().failed(Failure.Reason.INVALID);
      LOG.debug("Dropped a request without id");
    } else {
      open(message, reply);
    }
  }

  private void open(Message message, Reply reply) {
    String id = message.requestId();
    ProxyRequest request;
    try {
      request = ProxyRequest.parse(message.payload());
    } catch (ProtocolException e) {
      refuse(
          reply,
          id,
          STREAMED.matcher(message.payload().toString()).find(),
          Failure.invalid("invalid request: " + e.getMessage()));
      return;
    }
    long cost = cost(message.payload());
    boolean streamed = request.supportsResponseStreaming();
    HttpStream stream = new HttpStream(tunnel, id, request, reply, cost);
    if (request.bodyBinary()) {
      reply.expectBinary(stream.binaryReceiver());
    }
    if (!tunnel.budget().take(cost)) {
      refuse(
          reply,
          id,
          streamed,
          new Failure(Failure.Reason.MEMORY, "no memory left for the request"));
      return;
    }
    if (!reply.claim(id, stream)) {
      tunnel.budget().give(cost);
      LOG.debug("Dropped a request whose id is in use id={}", TargetCall.line(id));
      return;
    }
    try {
      tunnel.streams().enter(stream);
    } catch (Failure e) {
      tunnel.budget().give(cost);
      reply.release(id);
      refuse(reply, id, streamed, e);
      return;
    }
    stream.thread().start();
  }

  private static long cost(JsonText payload) {
    return payload.length() + OVERHEAD;
  }

  /** Tells the peer at once. Blocks nobody: if the short way is full, a thread of its own waits. */
  private void refuse(Reply reply, String id, boolean streamed, Failure why) {
    tunnel.meters().failed(why.reason());
    LOG.debug("Refused a request id={}: {}", TargetCall.line(id), why.getMessage());
    Payload payload =
        streamed ? new ProxyResponseAbort(why.getMessage()) : new ProxyError(why.getMessage());
    Outgoing answer = Outgoing.text(Priority.CONTROL, id, Envelopes.write(id, payload));
    if (!reply.offer(answer) && reply.connected()) {
      Thread.startVirtualThread(
          () -> {
            try {
              reply.send(answer);
            } catch (LinkLostException e) {
              LOG.debug("Link lost before a refusal was sent");
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          });
    }
  }
}
