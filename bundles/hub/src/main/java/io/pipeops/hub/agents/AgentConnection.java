package io.pipeops.hub.agents;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.BinaryResponse;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.Heartbeat;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.Pong;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.Register;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One agent's WebSocket (protocol 1.4, 1.11, 2). Frames come in one after the other on Jetty's
 * threads; the next one is asked for when the last was dealt with, which never waits: what may
 * block goes to a lane of its own, and what belongs to a request into that request's queue. When
 * such a queue is full, no further frame is asked for until it has room, at most for a short time;
 * then the stream is aborted instead.
 */
final class AgentConnection implements FrameHandler {
  private static final Logger log = LoggerFactory.getLogger(AgentConnection.class);

  private static final long COMPARE_EVERY = TimeUnit.MINUTES.toNanos(1);

  /** Messages that are not understood are noted once, then only counted. */
  private final AtomicBoolean noted = new AtomicBoolean();

  private final AgentSessions sessions;
  private final AgentCredential credential;
  private final boolean gateway;
  private final String gatewayUrl;
  private final String remoteAddress;
  private final AgentWriter writer;
  private final AgentStreams streams;
  private final ControlLane lane = new ControlLane("hub-agent-control");
  private final MessageAssembler assembler;
  private final StallBudget stalls;
  private final AtomicLong receivedBytes = new AtomicLong();
  private final Object arrival = new Object();
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile CoreSession socket;
  private volatile AgentSession session;
  private volatile LeaderTerm term = LeaderTerm.NONE;
  private volatile long lastReceived = System.nanoTime();
  private volatile boolean paused;
  private volatile boolean probed;
  private volatile Scheduler.Task pinger;
  private boolean text;
  private long compared = System.nanoTime();

  /**
   * @param gateway whether it came in by the gateway's endpoint
   * @param gatewayUrl where the agent shall go after registration; empty to stay
   */
  AgentConnection(
      AgentSessions sessions,
      AgentCredential credential,
      boolean gateway,
      String gatewayUrl,
      String remoteAddress) {
    this.sessions = sessions;
    this.credential = credential;
    this.gateway = gateway;
    this.gatewayUrl = gatewayUrl;
    this.remoteAddress = remoteAddress;
    this.assembler = new MessageAssembler(sessions.limits().maxMessage());
    this.stalls = new StallBudget(sessions.limits().stall());
    this.writer =
        new AgentWriter(
            sessions.metrics().bytesOut, cause -> drop("the connection to the agent broke"));
    this.streams =
        new AgentStreams(
            writer,
            sessions.streamLimits(),
            sessions.streamBudget(),
            sessions.metrics(),
            new AgentStreams.Requests() {
              @Override
              public List<String> live() {
                AgentSession served = session;
                return served == null ? List.of() : served.live();
              }

              @Override
              public void orphaned(String id) {
                AgentSession served = session;
                if (served != null) {
                  served.orphaned(id);
                }
              }
            },
            reason -> onLane(() -> close(1011, reason)));
    schedulePing();
  }

  AgentStreams streams() {
    return streams;
  }

  AgentCredential credential() {
    return credential;
  }

  boolean gateway() {
    return gateway;
  }

  String gatewayUrl() {
    return gatewayUrl;
  }

  String remoteAddress() {
    return remoteAddress;
  }

  AgentWriter writer() {
    return writer;
  }

  long receivedBytes() {
    return receivedBytes.get();
  }

  /** Whether the WebSocket is open. */
  boolean open() {
    return socket != null && !closed.get();
  }

  boolean over() {
    return closed.get();
  }

  /** By which election its agent leads, as it said last. */
  LeaderTerm term() {
    return term;
  }

  void led(LeaderTerm by) {
    term = by;
  }

  /** The session that it serves, or null while it has none. */
  AgentSession session() {
    return session;
  }

  void serve(AgentSession served) {
    session = served;
  }

  @Override
  public void onOpen(CoreSession coreSession, Callback callback) {
    socket = coreSession;
    lastReceived = System.nanoTime();
    callback.succeeded();
    if (closed.get()) {
      coreSession.abort();
      return;
    }
    writer.open(coreSession);
    coreSession.demand();
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    lastReceived = System.nanoTime();
    if (probed) {
      wakeProbe();
    }
    switch (frame.getOpCode()) {
      case OpCode.TEXT, OpCode.BINARY, OpCode.CONTINUATION -> data(frame, callback);
      case OpCode.PING -> {
        ByteBuffer payload =
            ByteBuffer.wrap(
                frame.hasPayload() ? AgentStream.bytes(frame.getPayload()) : new byte[0]);
        callback.succeeded();
        socket.sendFrame(new Frame(OpCode.PONG, true, payload), Callback.NOOP, false);
        socket.demand();
      }
      case OpCode.PONG -> {
        callback.succeeded();
        socket.demand();
      }
      default -> callback.succeeded();
    }
  }

  private void data(Frame frame, Callback callback) {
    if (frame.getOpCode() != OpCode.CONTINUATION) {
      text = frame.getOpCode() == OpCode.TEXT;
    }
    byte[] message;
    try {
      message = assembler.add(frame.getPayload(), frame.isFin());
    } catch (MessageAssembler.TooLongException e) {
      callback.succeeded();
      log.warn(
          "Agent closed, its message is longer than {} bytes: {}",
          sessions.limits().maxMessage(),
          describe());
      close(1009, "the agent sent a message that is too long");
      return;
    }
    callback.succeeded();
    AgentStream full = null;
    if (message != null) {
      receivedBytes.addAndGet(message.length);
      sessions.metrics().bytesIn.add(message.length);
      full = deliver(message);
    }
    if (full == null || !pause(full)) {
      socket.demand();
    }
  }

  /** Deals with a whole message; answers the stream that has too much queued now, or null. */
  private AgentStream deliver(byte[] bytes) {
    try {
      if (!text && streams.feed(bytes)) {
        return null;
      }
      if (text || looksLikeJson(bytes)) {
        return dispatch(Envelopes.parse(bytes, 0, bytes.length));
      }
      AgentSession served = session;
      BinaryResponse response = BinaryResponse.parse(ByteBuffer.wrap(bytes));
      return served == null ? null : served.receive(response);
    } catch (ProtocolException e) {
      sessions.metrics().malformed.increment();
      if (noted.compareAndSet(false, true)) {
        log.warn(
            "Message ignored, further ones are only counted: {} {}", e.getMessage(), describe());
      } else {
        log.debug("Message ignored: {} {}", e.getMessage(), describe());
      }
      return null;
    } catch (RuntimeException e) {
      // One message must never cost the connection (protocol 11.11).
      sessions.metrics().malformed.increment();
      log.warn("Message ignored after a fault: {}", describe(), e);
      return null;
    }
  }

  private static boolean looksLikeJson(byte[] bytes) {
    for (byte b : bytes) {
      if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
        return b == '{';
      }
    }
    return false;
  }

  private AgentStream dispatch(Message message) throws ProtocolException {
    switch (message.type()) {
      case ProxyResponseChunk.TYPE,
          ProxyResponseHeader.TYPE,
          ProxyResponseEnd.TYPE,
          ProxyResponseAbort.TYPE,
          ProxyResponse.TYPE,
          ProxyError.TYPE,
          WebSocketData.TYPE,
          WebSocketData.ALIAS,
          WebSocketClose.TYPE,
          WebSocketClose.ALIAS -> {
        AgentSession served = session;
        return served == null ? null : served.receive(message);
      }
      case GatewayHelloAck.TYPE -> streams.accepted(GatewayHelloAck.parse(message.payload()));
      case StreamIds.TYPE -> streams.ids(StreamIds.parse(message.payload()));
      case Ping.TYPE -> writer.control(Envelopes.write(message.requestId(), Pong.now()));
      case Register.TYPE -> onLane(() -> sessions.desk().register(this, message));
      case Heartbeat.TYPE -> onLane(() -> sessions.desk().heartbeat(this, message));
      default -> log.debug("Ignored type={} {}", PeerText.clean(message.type(), 64), describe());
    }
    return null;
  }

  private void onLane(Runnable task) {
    if (!lane.offer(task)) {
      sessions.metrics().malformed.increment();
      log.debug("Control message dropped, too many wait: {}", describe());
    }
  }

  /**
   * Stops reading until the stream has room.
   *
   * @return false if reading may go on
   */
  private boolean pause(AgentStream stream) {
    AgentSession served = session;
    boolean othersBusy = served != null && served.othersBusy(stream);
    Duration allowed = stalls.allowed(othersBusy);
    if (allowed.isZero() || stream.stalledFor(sessions.limits().stall())) {
      tooSlow(stream);
      return false;
    }
    long start = System.nanoTime();
    Scheduler.Task[] timer = new Scheduler.Task[1];
    AtomicBoolean resumed = new AtomicBoolean();
    paused = true;
    Runnable resume =
        () -> {
          if (resumed.compareAndSet(false, true)) {
            stalls.spent(System.nanoTime() - start, othersBusy);
            lastReceived = System.nanoTime();
            paused = false;
            synchronized (timer) {
              if (timer[0] != null) {
                timer[0].cancel();
              }
            }
            socket.demand();
          }
        };
    synchronized (timer) {
      if (!stream.whenRoom(resume)) {
        paused = false;
        return false;
      }
      timer[0] =
          sessions
              .scheduler()
              .schedule(() -> tooSlow(stream), allowed.toNanos(), TimeUnit.NANOSECONDS);
    }
    return true;
  }

  private void tooSlow(AgentStream stream) {
    sessions.metrics().stalls.increment();
    log.info("Response aborted, its reader is too slow: {}", describe());
    stream.abort("the response was read too slowly, the agent's connection is shared");
  }

  private void schedulePing() {
    pinger =
        sessions
            .scheduler()
            .schedule(this::ping, sessions.limits().ping().toNanos(), TimeUnit.NANOSECONDS);
  }

  private void ping() {
    if (closed.get()) {
      return;
    }
    if (!paused && System.nanoTime() - lastReceived > sessions.limits().dead().toNanos()) {
      log.warn(
          "Agent silent for {} s, closing: {}", sessions.limits().dead().toSeconds(), describe());
      drop("the agent was silent for too long");
      return;
    }
    sendPing();
    if (System.nanoTime() - compared > COMPARE_EVERY) {
      compared = System.nanoTime();
      streams.compare();
    }
    schedulePing();
  }

  private void sendPing() {
    CoreSession open = socket;
    if (open != null) {
      open.sendFrame(new Frame(OpCode.PING, true, ByteBuffer.allocate(0)), Callback.NOOP, false);
    }
  }

  /**
   * Asks the agent for a sign of life. Blocks.
   *
   * @return whether anything at all came from it within the limit
   */
  boolean answers(Duration limit) throws InterruptedException {
    long asked = System.nanoTime();
    long until = asked + limit.toNanos();
    synchronized (arrival) {
      probed = true;
      sendPing();
      while (!closed.get() && !paused && lastReceived - asked <= 0) {
        long left = until - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        TimeUnit.NANOSECONDS.timedWait(arrival, left);
      }
    }
    return !closed.get();
  }

  private void wakeProbe() {
    synchronized (arrival) {
      arrival.notifyAll();
    }
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    log.debug("Connection failed: {} cause={}", describe(), String.valueOf(cause));
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    callback.succeeded();
    lost("the agent's connection ended with code " + status.getCode());
  }

  /** Closes with a code; the socket is cut if the agent does not answer. */
  void close(int code, String reason) {
    CoreSession open = socket;
    if (open == null) {
      lost(reason);
      return;
    }
    open.close(code, reason, Callback.NOOP);
    lost(reason);
    sessions.scheduler().schedule(open::abort, 2, TimeUnit.SECONDS);
  }

  /** Cuts the socket. */
  void drop(String reason) {
    CoreSession open = socket;
    if (open != null) {
      open.abort();
    }
    lost(reason);
  }

  private void lost(String reason) {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    pinger.cancel();
    writer.close();
    streams.lost(reason);
    AgentSession served = session;
    if (served != null) {
      log.info("Agent gone: {} reason={}", describe(), reason);
      served.lost(reason);
      sessions.ended(served);
    }
    wakeProbe();
  }

  /** Who this is, for log lines. */
  String describe() {
    AgentSession served = session;
    return "cluster="
        + (served == null ? "" : served.cluster().id())
        + " remote="
        + remoteAddress
        + " role="
        + (gateway ? "gateway" : "controller");
  }
}
