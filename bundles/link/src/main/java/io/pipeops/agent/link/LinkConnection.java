package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.link.LinkSettings.Timing;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
 * One socket, from its upgrade to its end, and everything that ends with it: reader, pings, queue,
 * claims (protocol 1.11, Q10, Q11). A connection that is gone never comes back and cannot disturb
 * the next one.
 *
 * <p>Jetty's core API is used instead of its listener API: that one turns text into strings and
 * finds its methods by reflection, which costs time at each message and at the start.
 */
final class LinkConnection implements FrameHandler, Reply {
  private static final Logger log = LoggerFactory.getLogger(LinkConnection.class);

  /** Close code 1011 (RFC 6455 7.4.1). */
  private static final int INTERNAL_ERROR = 1011;

  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  private final Timing timing;
  private final LinkMetrics metrics;
  private final OutboundScheduler out;
  private final Inbound in;
  private final MessageAssembler assembler;
  private final Handlers<LinkHandler> handlers;
  private final PeerStreams streams;
  private final Runnable deliverHeld;
  private final CompletableFuture<String> ended = new CompletableFuture<>();
  private final CountDownLatch socketClosed = new CountDownLatch(1);
  private final Object watch = new Object();
  private volatile CoreSession session;
  private volatile long lastFrame = System.nanoTime();
  private boolean woken;
  private volatile boolean closing;
  private volatile String cause = "";

  LinkConnection(
      Handlers<LinkHandler> handlers,
      StreamIntake intake,
      UnknownTypes unknown,
      Inbound.Control control,
      LinkMetrics metrics,
      Timing timing,
      Limits limits) {
    this.timing = timing;
    this.metrics = metrics;
    this.handlers = handlers;
    this.out =
        new OutboundScheduler(limits.sendBudget(), limits.sendStream(), this::write, metrics::sent);
    this.streams = new PeerStreams(intake, out, requests(), this::failed);
    this.in = new Inbound(handlers, unknown, control, streams, this, metrics, limits, this::wake);
    this.assembler = new MessageAssembler(limits.message(), this::received);
    this.deliverHeld = () -> Thread.ofVirtual().name("link-held").start(in::deliverHeld);
  }

  private PeerStreams.Requests requests() {
    return new PeerStreams.Requests() {
      @Override
      public List<String> claimed() {
        return in.claimed();
      }

      @Override
      public void orphaned(String key) {
        in.orphaned(key);
      }
    };
  }

  // What Jetty calls; one call at a time for frames.

  @Override
  public void onOpen(CoreSession opened, Callback callback) {
    session = opened;
    lastFrame = System.nanoTime();
    handlers.watch(deliverHeld);
    callback.succeeded();
    Thread.ofVirtual().name("link-watch").start(this::watch);
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
          callback.failed(new MessageTooLargeException("message too long"));
          return;
        }
      }
      case OpCode.PING -> {
        Frame pong = new Frame(OpCode.PONG, Reply.copy(payload));
        session.sendFrame(entry(pong, Callback.NOOP));
      }
      case OpCode.CLOSE -> {
        CloseStatus status = CloseStatus.getCloseStatus(frame);
        cause =
            "closed by the peer with code "
                + status.getCode()
                + (status.getReason() == null || status.getReason().isEmpty()
                    ? ""
                    : ": " + PeerText.line(status.getReason()));
      }
      default -> log.trace("pong");
    }
    callback.succeeded();
    session.demand();
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
    socketClosed.countDown();
    lost(cause.isEmpty() ? "the connection was cut" : cause);
    callback.succeeded();
  }

  /** Every message that comes in, whole; {@link #write} is where every one goes out. */
  private void received(byte[] data, int length, boolean text) {
    if (text || !streams.feed(data, length)) {
      in.message(data, length, text);
    }
  }

  private static final ByteBuffer EMPTY = ByteBuffer.allocate(0);

  private static OutgoingEntry entry(Frame frame, Callback callback) {
    return new OutgoingEntry.Builder(frame, callback).build();
  }

  private void write(Outgoing message, boolean more, OutboundScheduler.Completion done) {
    byte opcode = message.text() ? OpCode.TEXT : OpCode.BINARY;
    Callback callback =
        Callback.from(
            () -> done.done(null),
            failure -> {
              done.done(failure);
              failed("write failed: ", failure);
            });
    session.sendFrame(
        new OutgoingEntry.Builder(new Frame(opcode, message.data()), callback).batch(more).build());
  }

  // Liveness

  private void watch() {
    long ping = timing.ping().toNanos();
    long read = timing.read().toNanos();
    long nextPing = System.nanoTime() + ping;
    while (!ended.isDone()) {
      long now = System.nanoTime();
      if (now - lastFrame >= read) {
        abort("no frame from the peer for " + timing.read().toMillis() + " ms");
        return;
      }
      if (out.stalled()) {
        abort("the peer takes nothing any more");
        return;
      }
      if (now - nextPing >= 0) {
        nextPing = now + ping;
        if (closing) {
          // No frame may follow the close frame, and what waits in the socket is still on its way.
          continue;
        }
        session.sendFrame(
            entry(
                new Frame(OpCode.PING),
                Callback.from(() -> {}, failure -> failed("ping failed: ", failure))));
      }
      streams.tick(now);
      long held = in.expire(now);
      long until = Math.min(nextPing - now, lastFrame + read - now);
      if (held != Long.MAX_VALUE) {
        until = Math.min(until, held - now);
      }
      pause(until);
    }
  }

  private void pause(long nanos) {
    synchronized (watch) {
      if (!woken && !ended.isDone()) {
        try {
          TimeUnit.NANOSECONDS.timedWait(watch, Math.max(nanos, 1_000_000));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
      woken = false;
    }
  }

  private void wake() {
    synchronized (watch) {
      woken = true;
      watch.notifyAll();
    }
  }

  // The end

  private void lost(String reason) {
    if (ended.complete(reason)) {
      handlers.unwatch(deliverHeld);
      out.close(reason);
      in.lost(reason);
      streams.lost(reason);
      wake();
    }
  }

  /** Streams cannot go on, and a connection without them is of no use (Q12). */
  private void failed(String reason) {
    Thread.ofVirtual()
        .name("link-close")
        .start(
            () -> {
              try {
                close(INTERNAL_ERROR, reason, LAST_WORDS);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
  }

  private void failed(String what, Throwable failure) {
    if (!closing) {
      abort(what + Failures.describe(failure));
    }
  }

  /** Cuts the connection at once. */
  void abort(String reason) {
    if (cause.isEmpty()) {
      cause = reason;
    }
    lost(reason);
    CoreSession now = session;
    if (now != null) {
      now.abort();
    }
  }

  /**
   * Ends the connection in good order: every stream is told, what is queued goes out, then a close
   * frame, then the socket; whatever is not done within the limit is cut.
   */
  void close(int code, String reason, Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    try {
      in.lost(reason);
      streams.lost(reason);
      // A fifth of the time is kept for the close frame and its answer.
      out.awaitIdle(limit.toNanos() - limit.toNanos() / 5);
      CoreSession now = session;
      if (now != null && now.isOutputOpen()) {
        cause = reason;
        closing = true;
        now.sendFrame(entry(new OrderlyClose(code, reason), Callback.NOOP));
        socketClosed.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
    } finally {
      abort(reason);
    }
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

  /** Completes with the reason when the connection is gone; never exceptionally. */
  CompletableFuture<String> ended() {
    return ended;
  }

  /** The address this side has on the connection; empty if it is not known. */
  String localAddress() {
    CoreSession now = session;
    return now != null && now.getLocalAddress() instanceof InetSocketAddress address
        ? address.getAddress().getHostAddress().replaceAll("%.*", "")
        : "";
  }

  long queued(Priority priority) {
    return out.queued(priority);
  }

  /** Sends and waits until the socket has taken it; see {@code Link.deliver}. */
  void deliver(Outgoing message, Duration limit)
      throws LinkLostException, TimeoutException, InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    CompletableFuture<Void> written = new CompletableFuture<>();
    out.send(
        message,
        failure -> {
          if (failure == null) {
            written.complete(null);
          } else {
            written.completeExceptionally(failure);
          }
        },
        limit.toNanos());
    try {
      written.get(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw new LinkLostException(
          "the connection is gone: " + Failures.describe(e.getCause()), e.getCause());
    }
  }

  // Reply

  @Override
  public boolean claim(String key, StreamReceiver receiver) {
    return in.claim(key, receiver);
  }

  @Override
  public void release(String key) {
    in.release(key);
  }

  @Override
  public boolean forward(String key, Message message) {
    return in.forward(key, message);
  }

  @Override
  public void expectBinary(StreamReceiver receiver) {
    in.expectBinary(receiver);
  }

  @Override
  public void send(Outgoing message) throws InterruptedException, LinkLostException {
    out.send(message, null);
  }

  @Override
  public void send(List<Outgoing> messages) throws InterruptedException, LinkLostException {
    out.send(messages);
  }

  @Override
  public boolean offer(Outgoing message) {
    return out.offer(message, null);
  }

  @Override
  public boolean connected() {
    return !ended.isDone();
  }
}
