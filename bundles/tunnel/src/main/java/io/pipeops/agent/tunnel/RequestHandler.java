package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.agent.protocol.WebSocketStart;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens a stream for each {@code proxy_request} and each start of a WebSocket. Further messages of
 * a stream go straight to it; those that arrive here name it in their payload, or belong to none
 * and are dropped (protocol 3.3, 3.7, 4.3).
 */
final class RequestHandler implements LinkHandler {
  /** The message types that this bundle handles. */
  static final String[] TYPES_HANDLED = {
    ProxyRequest.TYPE,
    ProxyRequestChunk.TYPE,
    ProxyRequestStreamEnd.TYPE,
    ProxyCancel.TYPE,
    WebSocketStart.TYPE,
    WebSocketStart.ALIAS,
    WebSocketData.TYPE,
    WebSocketData.ALIAS,
    WebSocketData.OLD_ALIAS,
    WebSocketClose.TYPE,
    WebSocketClose.ALIAS
  };

  private static final Logger LOG = LoggerFactory.getLogger(RequestHandler.class);

  /** Protocol 3.2.1. */
  private static final Duration SOCKET_LIMIT = Duration.ofHours(24);

  private static final Duration YEARS = Duration.ofDays(3650);

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
    switch (message.type()) {
      case ProxyRequest.TYPE -> request(message, reply);
      case WebSocketStart.TYPE, WebSocketStart.ALIAS -> start(message, reply);
      case WebSocketData.TYPE, WebSocketData.ALIAS, WebSocketData.OLD_ALIAS ->
          forwardData(message, reply);
      case WebSocketClose.TYPE, WebSocketClose.ALIAS -> forwardClose(message, reply);
      default -> dropped(message);
    }
  }

  private static void dropped(Message message) {
    LOG.debug(
        "Dropped {} of an unknown stream id={}",
        message.type(),
        TargetErrors.line(message.requestId()));
  }

  /** A message whose payload names another stream than its envelope. */
  private static void forwardData(Message message, Reply reply) {
    try {
      WebSocketData data = WebSocketData.parse(message.payload());
      String target = data.target(message.requestId());
      boolean known =
          (!data.streamId().isEmpty() && reply.forward(data.streamId(), message))
              || (!target.equals(data.streamId()) && reply.forward(target, message));
      if (!known) {
        dropped(message);
      }
    } catch (ProtocolException e) {
      dropped(message);
    }
  }

  private static void forwardClose(Message message, Reply reply) {
    try {
      WebSocketClose close = WebSocketClose.parse(message.payload());
      if (!close.streamId().isEmpty()) {
        reply.forward(close.streamId(), message);
      }
      String target = close.target(message.requestId());
      if (!target.equals(close.streamId())) {
        reply.forward(target, message);
      }
    } catch (ProtocolException e) {
      dropped(message);
    }
  }

  private void request(Message message, Reply reply) {
    String id = message.requestId();
    if (id.isEmpty()) {
      tunnel.meters().failed(Failure.Reason.INVALID);
      LOG.debug("Dropped a request without id");
      return;
    }
    ProxyRequest request;
    try {
      request = ProxyRequest.parse(message.payload());
    } catch (ProtocolException e) {
      boolean streamed = STREAMED.matcher(message.payload().toString()).find();
      refuse(reply, id, streamed, Failure.invalid("invalid request: " + e.getMessage()));
      return;
    }
    long cost = cost(message.payload());
    boolean streamed = request.supportsResponseStreaming();
    Consumer<Failure> refusal = why -> refuse(reply, id, streamed, why);
    if (request.isWebSocketRequest()) {
      SocketDialect dialect =
          new SocketDialect(
              id,
              SocketRequest.isApi(request),
              streamed ? SocketDialect.Begin.STREAMED : SocketDialect.Begin.BUFFERED);
      SocketStream stream =
          new SocketStream(
              tunnel,
              dialect,
              (server, settings) -> SocketRequest.of(request, server, settings),
              reply,
              limit(request),
              cost,
              this::handle);
      launch(reply, id, stream, stream, cost, refusal);
    } else {
      HttpStream stream = new HttpStream(tunnel, id, request, reply, cost);
      if (request.bodyBinary()) {
        reply.expectBinary(stream.binaryReceiver());
      }
      launch(reply, id, stream, stream, cost, refusal);
    }
  }

  private static Duration limit(ProxyRequest request) {
    return request
        .deadline()
        .map(deadline -> Duration.between(Instant.now(), deadline))
        .or(request::timeout)
        .filter(limit -> limit.compareTo(YEARS) < 0)
        .orElse(request.deadline().isPresent() ? YEARS : SOCKET_LIMIT);
  }

  private void start(Message message, Reply reply) {
    WebSocketStart start;
    try {
      start = WebSocketStart.parse(message.payload());
      if (start.streamId().isEmpty()) {
        throw Failure.invalid("missing stream_id");
      }
      Paths.checkApiSocket(start.path());
    } catch (ProtocolException e) {
      refuseStart(reply, message.requestId(), Failure.invalid("invalid start: " + e.getMessage()));
      return;
    } catch (Failure e) {
      refuseStart(reply, message.requestId(), e);
      return;
    }
    String id = start.streamId();
    long cost = cost(message.payload());
    SocketStream stream =
        new SocketStream(
            tunnel,
            new SocketDialect(id, true, SocketDialect.Begin.SILENT),
            (server, settings) -> SocketRequest.of(start, server, settings),
            reply,
            YEARS,
            cost,
            this::handle);
    Consumer<Failure> refusal =
        why -> {
          refuseStart(reply, id, why);
          offer(reply, id, WebSocketClose.kubernetes(id));
        };
    if (!launch(reply, id, stream, stream, cost, refusal)) {
      // A stream with this id is still open: it is closed first, and then asks for this one.
      reply.forward(id, message);
    }
  }

  /**
   * Lets a stream begin, or tells why not.
   *
   * @return false if the id is in use
   */
  private boolean launch(
      Reply reply,
      String id,
      Streams.Stream stream,
      StreamReceiver receiver,
      long cost,
      Consumer<Failure> refusal) {
    if (!tunnel.budget().take(cost)) {
      refusal.accept(new Failure(Failure.Reason.MEMORY, "no memory left for the request"));
      return true;
    }
    if (!reply.claim(id, receiver)) {
      tunnel.budget().give(cost);
      LOG.debug("A stream's id is in use id={}", TargetErrors.line(id));
      return false;
    }
    try {
      tunnel.streams().enter(stream);
    } catch (Failure e) {
      tunnel.budget().give(cost);
      reply.release(id);
      refusal.accept(e);
      return true;
    }
    stream.thread().start();
    return true;
  }

  private static long cost(JsonText payload) {
    return payload.length() + OVERHEAD;
  }

  private void refuse(Reply reply, String id, boolean streamed, Failure why) {
    count(id, why);
    String text = why.getMessage();
    offer(reply, id, streamed ? new ProxyResponseAbort(text) : new ProxyError(text));
  }

  private void refuseStart(Reply reply, String id, Failure why) {
    count(id, why);
    offer(reply, id, new ProxyError(why.getMessage(), id));
  }

  private void count(String id, Failure why) {
    tunnel.meters().failed(why.reason());
    LOG.debug("Refused a request id={}: {}", TargetErrors.line(id), why.getMessage());
  }

  /** Tells the peer at once. Blocks nobody: if the short way is full, a thread of its own waits. */
  private static void offer(Reply reply, String id, Payload payload) {
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
