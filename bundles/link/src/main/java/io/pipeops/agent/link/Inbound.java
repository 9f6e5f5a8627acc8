package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.HeartbeatAck;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.Pong;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProtocolFallback;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.RegisterInProgress;
import io.pipeops.agent.protocol.RegisterSuccess;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.TcpTunnelClose;
import io.pipeops.agent.protocol.TcpTunnelData;
import io.pipeops.agent.protocol.TcpTunnelStart;
import io.pipeops.agent.protocol.UdpTunnelData;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.agent.protocol.WebSocketStart;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What comes in on one connection: the link's own messages, then whoever claimed the request id,
 * then the handler of the type, then the holding queue or {@code protocol_fallback}. Everything
 * runs under one lock, so that messages that were held and messages that arrive keep their order.
 */
final class Inbound {
  private static final Logger log = LoggerFactory.getLogger(Inbound.class);

  /** Types that wait for their feature instead of being unknown. */
  static final Set<String> HELD_TYPES =
      Set.of(
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
          WebSocketClose.ALIAS,
          TcpTunnelStart.TYPE,
          TcpTunnelData.TYPE,
          TcpTunnelClose.TYPE,
          UdpTunnelData.TYPE);

  /** More streams than any peer needs; each costs a little memory. */
  private static final int MOST_CLAIMS = 100_000;

  private static final String AWAY = "the feature that handles this is not available";

  /**
   * What a gateway offers, and what it says of its streams (protocol 1.9). On the reader thread.
   */
  interface Offers {
    void hello(GatewayHello hello);

    void ids(StreamIds ids);

    void acknowledged(LinkAck ack);
  }

  /** The link's own messages. */
  interface Control {
    void registered(Message message);

    void registering(Message message);

    void error(Message message);

    void handedOver(Message message);
  }

  private final Handlers<LinkHandler> handlers;
  private final UnknownTypes unknown;
  private final Control control;
  private final Offers offers;
  private final Reply reply;
  private final LinkMetrics metrics;
  private final Runnable wake;
  private final HoldingQueue held;
  private final Map<String, StreamReceiver> claims = new HashMap<>();
  private StreamReceiver expected;
  private HoldingQueue.Held lastHeld;
  private boolean closed;

  /**
   * For one connection.
   *
   * @param wake called when the first message begins to wait, so that its time is kept
   */
  Inbound(
      Handlers<LinkHandler> handlers,
      UnknownTypes unknown,
      Control control,
      Offers offers,
      Reply reply,
      LinkMetrics metrics,
      Limits limits,
      Runnable wake) {
    this.handlers = handlers;
    this.unknown = unknown;
    this.control = control;
    this.offers = offers;
    this.reply = reply;
    this.metrics = metrics;
    this.wake = wake;
    this.held = new HoldingQueue(limits);
  }

  /** A whole WebSocket message; the array is ours. Never throws. */
  synchronized void message(byte[] data, int length, boolean text) {
    if (closed) {
      return;
    }
    StreamReceiver due = expected;
    expected = null;
    HoldingQueue.Held before = lastHeld;
    lastHeld = null;
    if (due != null) {
      if (!text) {
        call(due, () -> due.binary(ByteBuffer.wrap(data, 0, length)));
        return;
      }
      call(due, () -> due.lost("the announced binary message did not come"));
    }
    if (!text && before != null) {
      if (!held.attach(before, ByteBuffer.wrap(data, 0, length))) {
        held.visit(entry -> entry == before);
        refuse(before.message);
      }
      return;
    }
    Message message;
    try {
      message = Envelopes.parse(data, 0, length);
    } catch (ProtocolException e) {
      metrics.invalid.increment();
      log.debug("Ignored a message that is no envelope: {} bytes={}", e.getMessage(), length);
      return;
    }
    deliverHeld();
    if (!dispatch(message)) {
      hold(message, length);
    }
  }

  private void hold(Message message, int length) {
    boolean first = held.isEmpty();
    HoldingQueue.Held kept = held.keep(message, length, System.nanoTime());
    if (kept == null) {
      refuse(message);
      return;
    }
    if (first) {
      log.info("Messages wait for a feature that is away type={}", message.type());
      wake.run();
    }
    if (message.type().equals(ProxyRequest.TYPE) && bodyFollows(message)) {
      lastHeld = kept;
    }
  }

  /** Hands out what was held for handlers that are there now. */
  synchronized void deliverHeld() {
    if (closed || held.isEmpty()) {
      return;
    }
    held.visit(
        entry -> {
          if (!dispatch(entry.message)) {
            return false;
          }
          StreamReceiver due = expected;
          expected = null;
          if (due != null) {
            if (entry.binary != null) {
              call(due, () -> due.binary(entry.binary));
            } else if (entry == lastHeld) {
              expected = due;
              lastHeld = null;
            } else {
              call(due, () -> due.lost("the announced binary message did not come"));
            }
          }
          return true;
        });
  }

  /**
   * Answers what has been held too long.
   *
   * @return when to call again; {@link Long#MAX_VALUE} if nothing is held
   */
  synchronized long expire(long now) {
    if (closed) {
      return Long.MAX_VALUE;
    }
    for (HoldingQueue.Held old = held.expired(now); old != null; old = held.expired(now)) {
      if (old == lastHeld) {
        // Its body is still to come, and must not be taken for a message.
        expected = Discard.INSTANCE;
        lastHeld = null;
      }
      refuse(old.message);
    }
    return held.isEmpty() ? Long.MAX_VALUE : held.deadline();
  }

  private boolean dispatch(Message message) {
    switch (message.type()) {
      case RegisterSuccess.TYPE -> control.registered(message);
      case RegisterInProgress.TYPE -> control.registering(message);
      case ErrorMessage.TYPE -> control.error(message);
      case HandedOver.TYPE -> control.handedOver(message);
      case Ping.TYPE -> answer(message.requestId(), Pong.now());
      case Pong.TYPE -> log.trace("pong");
      case GatewayHello.TYPE, StreamIds.TYPE, LinkAck.TYPE -> offer(message);
      default -> {
        return dispatchToFeatures(message);
      }
    }
    return true;
  }

  private boolean dispatchToFeatures(Message message) {
    if (!message.requestId().isEmpty()) {
      StreamReceiver owner = claims.get(message.requestId());
      if (owner != null) {
        call(owner, () -> owner.receive(message));
        return true;
      }
    }
    LinkHandler handler = handlers.find(message.type());
    if (handler != null) {
      call(handler, () -> handler.handle(message, reply));
      return true;
    }
    if (HELD_TYPES.contains(message.type())) {
      return false;
    }
    if (message.type().equals(HeartbeatAck.TYPE)) {
      log.debug("Heartbeat acknowledged");
      return true;
    }
    unknown(message);
    return true;
  }

  /** A fault of a handler costs its message, never the connection (protocol 11.11). */
  @SuppressWarnings("CatchingUnchecked")
  private static void call(Object owner, Runnable action) {
    try {
      action.run();
    } catch (Exception | LinkageError | StackOverflowError | AssertionError e) {
      log.warn("A message was lost in its handler {}", owner.getClass().getName(), e);
    }
  }

  private void offer(Message message) {
    try {
      switch (message.type()) {
        case GatewayHello.TYPE -> offers.hello(GatewayHello.parse(message.payload()));
        case LinkAck.TYPE -> offers.acknowledged(LinkAck.parse(message.payload()));
        default -> offers.ids(StreamIds.parse(message.payload()));
      }
    } catch (ProtocolException e) {
      metrics.invalid.increment();
      log.debug("Ignored a {}: {}", message.type(), e.getMessage());
    }
  }

  private void unknown(Message message) {
    metrics.unknown.increment();
    log.debug("Unknown message type={}", line(message.type()));
    if (unknown.first(message.type())) {
      log.debug("First message of this type type={}", line(message.type()));
      String type = message.type();
      answer(
          "",
          ProtocolFallback.of(
              type.length() > 256 ? type.substring(0, 256) : type, message.requestId()));
    }
  }

  /** Says that nobody can take it; for parts of a stream the start's answer was enough. */
  private void refuse(Message message) {
    log.debug("Refused type={} request_id={}", message.type(), line(message.requestId()));
    String id = message.requestId();
    switch (message.type()) {
      case ProxyRequest.TYPE -> {
        if (!id.isEmpty()) {
          answer(id, streamed(message) ? new ProxyResponseAbort(AWAY) : new ProxyError(AWAY, ""));
        }
      }
      case WebSocketStart.TYPE, WebSocketStart.ALIAS -> answer(id, new ProxyError(AWAY, id));
      case TcpTunnelStart.TYPE ->
          answer(id, new TcpTunnelClose(TcpTunnelClose.CONNECTION_FAILED, AWAY));
      default -> log.trace("no answer");
    }
  }

  private static boolean bodyFollows(Message message) {
    try {
      return ProxyRequest.parse(message.payload()).bodyBinary();
    } catch (ProtocolException e) {
      return false;
    }
  }

  private static boolean streamed(Message message) {
    try {
      return ProxyRequest.parse(message.payload()).supportsResponseStreaming();
    } catch (ProtocolException e) {
      return false;
    }
  }

  private void answer(String requestId, Payload payload) {
    if (!reply.offer(Outgoing.text(Priority.CONTROL, "", Envelopes.write(requestId, payload)))) {
      log.debug("No room for an answer type={}", payload.type());
    }
  }

  synchronized boolean claim(String key, StreamReceiver receiver) {
    return !closed
        && !key.isEmpty()
        && claims.size() < MOST_CLAIMS
        && claims.putIfAbsent(key, receiver) == null;
  }

  synchronized void release(String key) {
    claims.remove(key);
  }

  synchronized boolean forward(String key, Message message) {
    StreamReceiver owner = claims.get(key);
    if (owner == null) {
      return false;
    }
    call(owner, () -> owner.receive(message));
    return true;
  }

  synchronized void expectBinary(StreamReceiver receiver) {
    if (closed) {
      call(receiver, () -> receiver.lost("the connection is gone"));
    } else {
      expected = receiver;
    }
  }

  /** The keys that are claimed now. */
  synchronized List<String> claimed() {
    return List.copyOf(claims.keySet());
  }

  /** Ends what only this side still holds. */
  void orphaned(String key) {
    StreamReceiver owner;
    synchronized (this) {
      owner = claims.remove(key);
    }
    if (owner != null) {
      call(owner, () -> owner.lost("the peer does not know this stream any more"));
    }
  }

  /** Tells every stream that the connection is gone. */
  void lost(String reason) {
    List<StreamReceiver> owners;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      owners = new ArrayList<>(claims.values());
      if (expected != null && !owners.contains(expected)) {
        owners.add(expected);
      }
      claims.clear();
      held.clear();
    }
    owners.forEach(owner -> call(owner, () -> owner.lost(reason)));
  }

  private static String line(String text) {
    return PeerText.line(text);
  }

  private enum Discard implements StreamReceiver {
    INSTANCE;

    @Override
    public void receive(Message message) {}

    @Override
    public void lost(String reason) {}
  }
}
