package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.agent.protocol.WebSocketStart;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.BiConsumer;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One proxied WebSocket of either kind from its opening to its close message (protocol 4). One
 * virtual thread carries both directions in order; a slow link holds the target back, a slow target
 * fills the bounded inbox and ends this stream only.
 */
final class SocketStream implements StreamReceiver, Streams.Stream, Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(SocketStream.class);

  private static final int NORMAL = 1000;
  private static final int GOING_AWAY = 1001;
  private static final int TOO_BIG = 1009;
  private static final long GOODBYE = Duration.ofSeconds(2).toNanos();
  private static final int MISSES = 3;

  /** Decides where the socket goes; called on the stream's thread. */
  interface Opening {
    SocketRequest decide(ApiServer server, Settings settings) throws Failure;
  }

  private final Tunnel tunnel;
  private final Settings settings;
  private final SocketDialect dialect;
  private final Opening opening;
  private final Gate gate = new Gate();
  private final Sender sender;
  private final SocketInbox inbox;
  private final MessageBuffer partial;
  private SocketLink link;
  private final BiConsumer<Message, Reply> replaced;
  private final Reply reply;
  private final long cost;
  private final long started = System.nanoTime();
  private final long end;
  private final Thread thread;
  private volatile boolean granted;
  private volatile boolean begun;
  private Channels channels;
  private boolean closing;
  private long pinged;
  private long ponged;
  private int misses;

  /**
   * A stream that is not running yet.
   *
   * @param limit how long it may live
   * @param cost bytes of the budget that it holds from the beginning
   * @param replaced takes a start message with the id of this stream, after this one is closed
   */
  SocketStream(
      Tunnel tunnel,
      SocketDialect dialect,
      Opening opening,
      Reply reply,
      Duration limit,
      long cost,
      BiConsumer<Message, Reply> replaced) {
    this.tunnel = tunnel;
    this.settings = tunnel.settings();
    this.dialect = dialect;
    this.opening = opening;
    this.reply = reply;
    this.cost = cost;
    this.replaced = replaced;
    this.sender = new Sender(dialect.id(), reply, gate);
    this.inbox = new SocketInbox(gate, tunnel.budget(), settings.inboxBytes());
    this.partial = new MessageBuffer(settings.socketBytes(), tunnel.budget());
    this.link = new SocketLink(gate);
    this.end = started + limit.toNanos();
    this.thread =
        Thread.ofVirtual().name("tunnel-" + TargetErrors.line(dialect.id())).unstarted(this);
    sender.priority(Priority.INTERACTIVE);
  }

  @Override
  public Thread thread() {
    return thread;
  }

  @Override
  public void grant() {
    granted = true;
    gate.signal();
  }

  @Override
  public void stop(Failure why) {
    gate.stop(why);
  }

  @Override
  public void receive(Message message) {
    switch (message.type()) {
      case WebSocketData.TYPE, WebSocketData.ALIAS, WebSocketData.OLD_ALIAS ->
          inbox.offer(message.payload());
      case WebSocketClose.TYPE, WebSocketClose.ALIAS, ProxyCancel.TYPE -> {
        if (begun) {
          inbox.close();
        } else {
          gate.stop(Failure.cancelled());
        }
      }
      case WebSocketStart.TYPE, WebSocketStart.ALIAS -> {
        sender.replace(dialect.close());
        gate.stop(new Failure(Failure.Reason.CANCELLED, "replaced by another stream"));
        replaced.accept(message, reply);
      }
      default ->
          LOG.debug(
              "Ignored {} in the stream id={}", message.type(), TargetErrors.line(dialect.id()));
    }
  }

  @Override
  public void lost(String reason) {
    gate.stop(new Failure(Failure.Reason.LOST, "link lost"));
  }

  @Override
  public void run() {
    Failure failure = null;
    TargetClients.Lease lease = null;
    try {
      while (!granted) {
        await(started + settings.request().toNanos());
      }
      ApiServer server = tunnel.server();
      SocketRequest request = opening.decide(server, settings);
      tunnel.meters().request(request.route().api());
      lease =
          tunnel
              .clients()
              .take(request.route().api() ? server : null, request.route().asAgent(), settings);
      open(lease, request, server);
      relay();
    } catch (Failure e) {
      failure = gate.cause(e);
    } catch (LinkLostException e) {
      failure = new Failure(Failure.Reason.LOST, "link lost");
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      LOG.warn("Stream failed, its peer is told id={}", TargetErrors.line(dialect.id()), e);
      failure = new Failure(Failure.Reason.INTERNAL, "internal error of the agent");
    }
    try {
      leave(failure);
      say(failure);
    } catch (LinkLostException e) {
      LOG.debug("Link lost at the end of a stream id={}", TargetErrors.line(dialect.id()));
    } finally {
      link.abort();
      inbox.dispose();
      partial.close();
      if (lease != null) {
        lease.release();
      }
      tunnel.budget().give(cost);
      tunnel.meters().seconds((System.nanoTime() - started) / 1e9);
      tunnel.streams().leave(this);
    }
  }

  private void open(TargetClients.Lease lease, SocketRequest request, ApiServer server)
      throws Failure, LinkLostException, IOException {
    if (request.bulk()) {
      sender.priority(Priority.BULK);
    }
    HttpFields.Mutable headers = HttpFields.build();
    request.headers(server, headers::add);
    dial(lease, request, headers);
    if (link.stale()) {
      // The pool's connection was closed by the target while it was idle.
      link.abort();
      link = new SocketLink(gate);
      dial(lease, request, headers);
    }
    if (!link.open()) {
      throw TargetErrors.of(request.route(), link.failure());
    }
    channels = new Channels(request.channels() && Channels.carriedBy(link.protocol()));
    pinged = System.nanoTime();
    ponged = pinged;
    dialect.opened(sender, HeaderRules.toPeer(link.answer()));
    begun = true;
  }

  private void dial(TargetClients.Lease lease, SocketRequest request, HttpFields headers)
      throws Failure, IOException {
    link.dial(lease.sockets(), request, headers, settings);
    long limit = System.nanoTime() + settings.answer().toNanos();
    while (!link.open() && !link.over()) {
      await(limit);
    }
  }

  /** Carries frames both ways until one side ends. */
  private void relay() throws Failure, LinkLostException {
    while (!link.over()) {
      gate.check();
      boolean busy = fromPeer();
      SocketLink.Arrival arrival = link.arrival();
      if (arrival != null) {
        fromTarget(arrival);
        busy = true;
      }
      long now = System.nanoTime();
      if (now - end >= 0) {
        throw Failure.timeout("context deadline exceeded");
      }
      long tick = pinged + settings.ping().toNanos();
      if (now - tick >= 0) {
        ping(now);
      } else if (!busy) {
        gate.await(Math.min(end, tick));
      }
    }
  }

  private boolean fromPeer() throws Failure {
    if (closing || link.writing()) {
      return false;
    }
    WebSocketData next = inbox.poll();
    if (next == null) {
      if (inbox.closed()) {
        closing = true;
        throw new Failure(Failure.Reason.CANCELLED, "closed by the peer");
      }
      return false;
    }
    TunnelFrame frame;
    try {
      frame = dialect.frame(next);
    } catch (ProtocolException e) {
      LOG.debug("Dropped a frame id={}: {}", TargetErrors.line(dialect.id()), e.getMessage());
      return true;
    }
    if (frame == null) {
      return true;
    }
    int size = frame.payload().remaining();
    if (frame.opcode() == TunnelFrame.CLOSE) {
      closing = true;
      close(frame.payload());
    } else if (frame.opcode() >= TunnelFrame.PING && size > 125) {
      LOG.debug("Dropped an oversized control frame id={}", TargetErrors.line(dialect.id()));
    } else if (size > settings.socketBytes()) {
      throw new Failure(Failure.Reason.MEMORY, "message of more than the limit");
    } else {
      tunnel.meters().in(size);
      link.send(channels.toTarget(frame));
    }
    return true;
  }

  private void close(ByteBuffer payload) {
    CloseStatus status = new CloseStatus(NORMAL);
    try {
      status = payload.hasRemaining() ? new CloseStatus(payload) : status;
    } catch (RuntimeException e) {
      LOG.debug("Malformed close frame id={}", TargetErrors.line(dialect.id()));
    }
    boolean sendable = CloseStatus.isTransmittableStatusCode(status.getCode());
    link.close(sendable ? status.getCode() : NORMAL, sendable ? status.getReason() : null);
  }

  private void fromTarget(SocketLink.Arrival arrival) throws Failure, LinkLostException {
    ByteBuffer payload = arrival.frame().getPayload();
    byte opcode = arrival.frame().getOpCode();
    switch (opcode) {
      case OpCode.PING -> link.control(OpCode.PONG, Reply.copy(payload));
      case OpCode.PONG -> {
        ponged = System.nanoTime();
        misses = 0;
      }
      case OpCode.CLOSE -> {}
      default -> {
        if (arrival.frame().isFin() && partial.empty() && opcode != OpCode.CONTINUATION) {
          toPeer(opcode, payload);
        } else {
          partial.add(opcode, payload);
          if (arrival.frame().isFin()) {
            toPeer(partial.opcode(), partial.whole());
            partial.clear();
          }
        }
      }
    }
    link.next(arrival);
  }

  private void toPeer(byte opcode, ByteBuffer payload) throws Failure, LinkLostException {
    tunnel.meters().out(payload.remaining());
    int kind = opcode == OpCode.TEXT ? TunnelFrame.TEXT : TunnelFrame.BINARY;
    sender.send(dialect.data(channels.toPeer(new TunnelFrame(kind, payload))));
  }

  /** Any sign of life that counts is a pong: a half-dead target may still acknowledge bytes. */
  private void ping(long now) throws Failure {
    if (now - ponged > MISSES * settings.ping().toNanos() && ++misses >= MISSES) {
      throw Failure.timeout("ping timeout");
    }
    pinged = now;
    link.control(OpCode.PING, ByteBuffer.allocate(0));
  }

  /** Says goodbye to the target and gives it a moment to answer. */
  private void leave(Failure failure) {
    if (!link.open() || link.over()) {
      return;
    }
    Failure.Reason reason = failure == null ? null : failure.reason();
    if (reason == Failure.Reason.MEMORY) {
      link.close(TOO_BIG, "message too big");
    } else if (reason == Failure.Reason.STOPPED) {
      link.close(GOING_AWAY, null);
    } else if (reason == Failure.Reason.TIMEOUT && misses >= MISSES) {
      link.close(GOING_AWAY, "ping timeout");
    } else {
      link.close(NORMAL, null);
    }
    long until = System.nanoTime() + GOODBYE;
    while (!link.over() && System.nanoTime() - until < 0) {
      SocketLink.Arrival rest = link.arrival();
      if (rest != null) {
        link.next(rest);
      } else if (!gate.linger(until)) {
        return;
      }
    }
  }

  private void say(Failure failure) throws LinkLostException {
    if (failure == null && link.failure() != null && !closing) {
      LOG.debug(
          "Target broke a socket off id={}: {}",
          TargetErrors.line(dialect.id()),
          TargetErrors.line(link.failure().toString()));
      tunnel.meters().failed(Failure.Reason.BROKEN);
    } else if (failure != null) {
      tunnel.meters().failed(failure.reason());
      LOG.debug(
          "Socket ended id={} reason={}: {}",
          TargetErrors.line(dialect.id()),
          failure.reason(),
          failure.getMessage());
    }
    if (failure != null && failure.reason() == Failure.Reason.LOST) {
      sender.abandon();
    } else if (!begun && !sender.spoke() && !dialect.closeOnly(failure)) {
      dialect.refused(sender, link.refusal(), failure.getMessage());
    } else {
      boolean trouble = failure != null && failure.reason() != Failure.Reason.CANCELLED;
      if (trouble && dialect.complaint(failure) != null) {
        sender.last(dialect.complaint(failure));
      }
      sender.finish(dialect.close());
    }
  }

  /** Waits for a signal; a limit that is over ends the stream. */
  private void await(long until) throws Failure {
    gate.await(Math.min(end, until));
    long now = System.nanoTime();
    if (now - end >= 0) {
      throw Failure.timeout("context deadline exceeded");
    }
    if (now - until >= 0) {
      throw Failure.timeout("no answer in time");
    }
  }
}
