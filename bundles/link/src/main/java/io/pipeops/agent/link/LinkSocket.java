package io.pipeops.agent.link;

import io.pipeops.agent.api.link.Reply;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.eclipse.jetty.websocket.core.exception.MessageTooLargeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket, from its upgrade to its end: puts messages together, answers pings, and tells its
 * owner once that it is gone.
 *
 * <p>Jetty's core API is used instead of its listener API: that one turns text into strings and
 * finds its methods by reflection, which costs time at each message and at the start.
 */
final class LinkSocket implements FrameHandler {
  private static final Logger log = LoggerFactory.getLogger(LinkSocket.class);
  private static final ByteBuffer EMPTY = ByteBuffer.allocate(0);

  /** Close codes after which the peer does not want to go on with this session (RFC 6455, 7.4). */
  private static final int NORMAL = 1000;

  private static final int GOING_AWAY = 1001;
  private static final int POLICY = 1008;

  /** Whom it belongs to. Messages come one after the other. */
  interface Owner {
    void opened(LinkSocket socket);

    void message(LinkSocket socket, byte[] data, int length, boolean text);

    /**
     * @param meant whether one of the two sides wanted the end
     */
    void ended(LinkSocket socket, String reason, boolean meant);
  }

  private final Owner owner;
  private final LinkMetrics metrics;
  private final MessageAssembler assembler;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile CoreSession session;
  private volatile long lastFrame = System.nanoTime();
  private volatile boolean closing;
  private volatile boolean meant;
  private volatile String cause = "";

  LinkSocket(Owner owner, LinkMetrics metrics, long longestMessage) {
    this.owner = owner;
    this.metrics = metrics;
    this.assembler =
        new MessageAssembler(
            longestMessage, (data, length, text) -> owner.message(this, data, length, text));
  }

  // What Jetty calls; one call at a time for frames.

  @Override
  public void onOpen(CoreSession opened, Callback callback) {
    session = opened;
    // What an earlier try with this socket failed by does not matter any more.
    cause = "";
    lastFrame = System.nanoTime();
    callback.succeeded();
    owner.opened(this);
    opened.demand();
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    lastFrame = System.nanoTime();
    ByteBuffer payload = frame.getPayload() == null ? EMPTY.duplicate() : frame.getPayload();
    switch (frame.getOpCode()) {
      case OpCode.TEXT, OpCode.BINARY, OpCode.CONTINUATION -> {
        metrics.bytesIn.add(payload.remaining());
        if (frame.isFin()) {
          metrics.messagesIn.increment();
        }
        boolean first = frame.getOpCode() != OpCode.CONTINUATION;
        boolean text = frame.getOpCode() == OpCode.TEXT;
        if (!assembler.fragment(payload, first, text, frame.isFin())) {
          cause = "the peer sent a message longer than link.message_max_bytes";
          meant = true;
          callback.failed(new MessageTooLargeException("message too long"));
          return;
        }
      }
      case OpCode.PING -> {
        Frame pong = new Frame(OpCode.PONG, Reply.copy(payload));
        session.sendFrame(entry(pong, Callback.NOOP));
      }
      case OpCode.CLOSE -> closedByPeer(CloseStatus.getCloseStatus(frame));
      default -> log.trace("pong");
    }
    callback.succeeded();
    session.demand();
  }

  private void closedByPeer(CloseStatus status) {
    int code = status.getCode();
    meant |= code == NORMAL || code == GOING_AWAY || code == POLICY || code >= 3000;
    String reason = status.getReason();
    cause =
        "closed by the peer with code "
            + code
            + (reason == null || reason.isEmpty() ? "" : ": " + PeerText.line(reason));
  }

  @Override
  public void onError(Throwable failure, Callback callback) {
    if (cause.isEmpty()) {
      cause = Failures.describe(failure);
    }
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    closed.countDown();
    end(cause.isEmpty() ? "the connection was cut" : cause);
    callback.succeeded();
  }

  private void end(String reason) {
    if (over.compareAndSet(false, true)) {
      owner.ended(this, reason, meant);
    }
  }

  private static OutgoingEntry entry(Frame frame, Callback callback) {
    return new OutgoingEntry.Builder(frame, callback).build();
  }

  /**
   * Sends a message.
   *
   * @param more whether another one follows at once, so that both may be written together
   */
  void send(boolean text, ByteBuffer data, boolean more, Callback callback) {
    byte opcode = text ? OpCode.TEXT : OpCode.BINARY;
    Frame frame = MaskedFrame.of(opcode, data, session.getByteBufferPool());
    session.sendFrame(
        new OutgoingEntry.Builder(frame, Callback.from(() -> MaskedFrame.release(frame), callback))
            .batch(more)
            .build());
  }

  /** Asks the peer for a sign of life. No frame may follow a close frame. */
  void ping() {
    if (!closing) {
      session.sendFrame(
          entry(
              new Frame(OpCode.PING),
              Callback.from(() -> {}, failure -> failed("ping failed: ", failure))));
    }
  }

  /** When the last frame came, by {@link System#nanoTime}. */
  long lastFrame() {
    return lastFrame;
  }

  boolean over() {
    return over.get();
  }

  /** Cuts the connection because of a fault, unless it is being closed anyway. */
  void failed(String what, Throwable failure) {
    if (!closing) {
      cut(what + Failures.describe(failure));
    }
  }

  /** Cuts the connection at once; this side would rather have gone on. */
  void cut(String reason) {
    if (cause.isEmpty()) {
      cause = reason;
    }
    end(reason);
    CoreSession now = session;
    if (now != null) {
      now.abort();
    }
  }

  /** Cuts the connection at once, for good. */
  void abort(String reason) {
    meant = true;
    cut(reason);
  }

  /**
   * Sends a close frame and waits for the peer's; a peer that does not answer is waited for until
   * the limit.
   */
  void close(int code, String reason, Duration limit) throws InterruptedException {
    CoreSession now = session;
    if (now != null && now.isOutputOpen()) {
      cause = reason;
      meant = true;
      closing = true;
      now.sendFrame(entry(new OrderlyClose(code, reason), Callback.NOOP));
      closed.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  /** The address this side has on the connection; empty if it is not known. */
  String localAddress() {
    CoreSession now = session;
    return now != null && now.getLocalAddress() instanceof InetSocketAddress address
        ? address.getAddress().getHostAddress().replaceAll("%.*", "")
        : "";
  }

  /**
   * A close frame after which the socket stays until the peer has answered. Jetty takes every code
   * but 1000 for an error and closes the socket at once, and a socket closed with something unread
   * is reset: megabytes that the system had taken but not yet delivered would be lost.
   */
  private static final class OrderlyClose extends Frame implements CloseStatus.Supplier {
    OrderlyClose(int code, String reason) {
      super(
          OpCode.CLOSE,
          new CloseStatus(code, code == CloseStatus.NORMAL ? null : reason).asPayloadBuffer());
    }

    @Override
    public CloseStatus getCloseStatus() {
      return new CloseStatus(CloseStatus.NORMAL);
    }
  }
}
