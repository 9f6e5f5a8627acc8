package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketData;
import java.nio.ByteBuffer;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the frames of one open WebSocket both ways, in order, and keeps an eye on the target. For
 * the stream's thread alone.
 */
final class SocketRelay implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SocketRelay.class);
  private static final int NORMAL = 1000;
  private static final int MISSES = 3;

  /** RFC 6455 5.5. */
  private static final int MAX_CONTROL = 125;

  private final Tunnel tunnel;
  private final Settings settings;
  private final SocketDialect dialect;
  private final Gate gate;
  private final Sender sender;
  private final SocketLink link;
  private final SocketInbox inbox;
  private final Channels channels;
  private final MessageBuffer partial;
  private final long end;
  private boolean closing;
  private long pinged = System.nanoTime();
  private long ponged = pinged;
  private int misses;

  /**
   * Relays nothing yet.
   *
   * @param end the {@link System#nanoTime} at which the stream's time is over
   */
  SocketRelay(
      Tunnel tunnel,
      Settings settings,
      SocketDialect dialect,
      Gate gate,
      Sender sender,
      SocketLink link,
      SocketInbox inbox,
      Channels channels,
      long end) {
    this.tunnel = tunnel;
    this.settings = settings;
    this.dialect = dialect;
    this.gate = gate;
    this.sender = sender;
    this.link = link;
    this.inbox = inbox;
    this.channels = channels;
    this.partial = new MessageBuffer(settings.socketBytes(), tunnel.budget());
    this.end = end;
  }

  /** Whether the peer has asked for the end. */
  boolean closing() {
    return closing;
  }

  /** Whether the target has not answered its pings. */
  boolean silent() {
    return misses >= MISSES;
  }

  /** Carries frames both ways until one side ends. */
  void run() throws Failure, LinkLostException {
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
    } else if (frame.opcode() >= TunnelFrame.PING && size > MAX_CONTROL) {
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
        if (dialect.kubernetes() && payload != null && payload.hasRemaining()) {
          // Not ours, which are empty: the peer learns what the target has taken by now.
          sender.send(dialect.data(new TunnelFrame(TunnelFrame.PONG, payload)));
        }
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

  @Override
  public void close() {
    partial.close();
  }
}
