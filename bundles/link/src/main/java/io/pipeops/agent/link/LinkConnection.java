package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.link.LinkSettings.Resume;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.ProtocolException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session with a peer and everything that ends with it: pings, queue, claims, streams (protocol
 * 1.11, Q10, Q11). It has one socket; where the peer has offered to resume, a lost socket may be
 * replaced by another one, and nobody but {@link TakeUp} notices. A connection that is gone never
 * comes back and cannot disturb the next one.
 */
final class LinkConnection implements LinkSocket.Owner, Reply {
  private static final Logger log = LoggerFactory.getLogger(LinkConnection.class);

  /** Close code 1011 (RFC 6455 7.4.1). */
  private static final int INTERNAL_ERROR = 1011;

  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  private final Timing timing;
  private final Limits limits;
  private final LinkMetrics metrics;
  private final OutboundScheduler out;
  private final Inbound in;
  private final Handlers<LinkHandler> handlers;
  private final PeerStreams streams;
  private final Resumption resumption;
  private final Runnable deliverHeld;
  private final CompletableFuture<String> ended = new CompletableFuture<>();
  private final Object watch = new Object();
  private boolean woken;

  /** Held while a message is dealt with, so that none of a lost socket comes late. */
  private final Object receiving = new Object();

  private boolean acknowledgement;

  /** Held while a socket is replaced, and while a message is noted for the one it goes to. */
  private final Object swap = new Object();

  private final LinkSocket first;
  private volatile LinkSocket socket;
  private volatile Candidate candidate;
  private volatile Runnable onDetached = () -> {};
  private volatile String lostBecause = "";
  private volatile long lostSince;
  private volatile boolean closing;

  LinkConnection(
      Handlers<LinkHandler> handlers,
      StreamIntake intake,
      UnknownTypes unknown,
      Inbound.Control control,
      LinkMetrics metrics,
      Timing timing,
      Limits limits,
      Resume resume) {
    this.timing = timing;
    this.limits = limits;
    this.metrics = metrics;
    this.handlers = handlers;
    this.resumption = new Resumption(resume);
    this.out =
        new OutboundScheduler(limits.sendBudget(), limits.sendStream(), this::write, metrics::sent);
    this.streams = new PeerStreams(intake, out, requests(), resumption, this::failed);
    this.in = new Inbound(handlers, unknown, control, streams, this, metrics, limits, this::wake);
    this.deliverHeld = () -> Thread.ofVirtual().name("link-held").start(in::deliverHeld);
    this.first = new LinkSocket(this, metrics, limits.message());
    this.socket = first;
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

      @Override
      public void acknowledged(LinkAck ack) {
        LinkConnection.this.acknowledged(ack);
      }
    };
  }

  /** The socket to dial with. */
  LinkSocket socket() {
    return first;
  }

  // What the sockets call.

  @Override
  public void opened(LinkSocket opened) {
    if (opened == first) {
      handlers.watch(deliverHeld);
      Thread.ofVirtual().name("link-watch").start(this::watch);
    }
  }

  /** Every message that comes in, whole; {@link #write} is where every one goes out. */
  @Override
  public void message(LinkSocket from, byte[] data, int length, boolean text) {
    synchronized (receiving) {
      Candidate waiting = candidate;
      if (waiting != null && from == waiting.socket) {
        answered(waiting, data, length);
        return;
      }
      if (from != socket) {
        return;
      }
      boolean counts = resumption.counting();
      acknowledgement = false;
      if (text || !streams.feed(data, length)) {
        in.message(data, length, text);
      }
      if (counts && !acknowledgement) {
        ByteBuffer due = resumption.received(length);
        if (due != null) {
          from.send(true, due, false, Callback.NOOP);
        }
      }
    }
  }

  private void acknowledged(LinkAck ack) {
    acknowledgement = true;
    try {
      synchronized (swap) {
        if (!resumption.acknowledged(ack) || socket == null) {
          return;
        }
        out.pause(false);
      }
      out.pump();
    } catch (ProtocolException e) {
      failed(e.getMessage());
    }
  }

  @Override
  public void ended(LinkSocket which, String reason, boolean meant) {
    boolean keep;
    synchronized (swap) {
      Candidate waiting = candidate;
      if (which != socket) {
        if (waiting != null && which == waiting.socket) {
          waiting.fail(reason);
        }
        return;
      }
      keep = !meant && !closing && !ended.isDone() && resumption.active();
      if (keep) {
        lostBecause = reason;
        lostSince = System.nanoTime();
        socket = null;
        out.pause(true);
      }
    }
    if (keep) {
      log.debug("The connection is lost, the session is kept: {}", reason);
      onDetached.run();
    } else {
      lost(reason);
    }
  }

  private void write(Outgoing message, boolean more, OutboundScheduler.Completion done) {
    LinkSocket to;
    boolean kept;
    boolean last;
    synchronized (swap) {
      kept = resumption.active();
      last = resumption.sending(message);
      if (last) {
        out.pause(true);
      }
      to = socket;
    }
    if (to == null) {
      done.done(kept ? null : new LinkLostException(lostBecause));
      return;
    }
    ByteBuffer data = kept ? message.data().duplicate() : message.data();
    to.send(
        message.text(),
        data,
        more && !last,
        Callback.from(
            () -> done.done(null),
            failure -> {
              // What is kept will be sent again.
              done.done(kept ? null : failure);
              to.failed("write failed: ", failure);
            }));
  }

  // The other socket

  /** Remembers whom to tell, at once, when the socket is lost and the session is not. */
  void onDetached(Runnable listener) {
    onDetached = listener;
  }

  /** Whether the session has no socket at present. */
  boolean detached() {
    return socket == null && !ended.isDone();
  }

  /** Why the last socket was lost. */
  String lostBecause() {
    return lostBecause;
  }

  /** When the last socket was lost, by {@link System#nanoTime}. */
  long lostSince() {
    return lostSince;
  }

  Resumption resumption() {
    return resumption;
  }

  /** Another socket for this session, to be dialed and then given to {@link #takeUp}. */
  LinkSocket nextSocket() {
    return new LinkSocket(this, metrics, limits.message());
  }

  private record Candidate(LinkSocket socket, CompletableFuture<Void> taken) {
    void fail(String reason) {
      taken.completeExceptionally(new LinkLostException(reason));
    }
  }

  /**
   * Goes on with a socket that is open.
   *
   * @throws RefusedException if the peer does not know the session any more
   * @throws LinkLostException if this socket is lost, too
   */
  void takeUp(LinkSocket next, Duration limit)
      throws LinkLostException, RefusedException, TimeoutException, InterruptedException {
    Candidate asking = new Candidate(next, new CompletableFuture<>());
    ByteBuffer request;
    synchronized (receiving) {
      candidate = asking;
      request = resumption.request();
    }
    try {
      next.send(true, request, false, Callback.from(() -> {}, f -> next.failed("", f)));
      if (next.over()) {
        asking.fail("the connection was cut");
      }
      asking.taken.get(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RefusedException refused) {
        throw refused;
      }
      throw new LinkLostException(Failures.describe(e.getCause()), e.getCause());
    } finally {
      synchronized (receiving) {
        candidate = null;
      }
      if (socket != next) {
        next.abort("the session was not taken up");
      }
    }
  }

  /** The peer's first word on another socket. */
  private void answered(Candidate asking, byte[] data, int length) {
    try {
      long peerReceived = Resumption.accepted(data, length);
      synchronized (swap) {
        if (ended.isDone() || closing) {
          asking.fail("the session has ended");
          return;
        }
        boolean room = resumption.replay(asking.socket, peerReceived);
        if (asking.socket.over()) {
          // Its end was told while it was not ours yet.
          asking.fail("the connection was cut");
          return;
        }
        out.pause(!room);
        socket = asking.socket;
        candidate = null;
      }
      asking.taken.complete(null);
      out.pump();
    } catch (RefusedException e) {
      asking.taken.completeExceptionally(e);
    } catch (ProtocolException e) {
      asking.taken.completeExceptionally(new RefusedException(0, e.getMessage()));
    }
  }

  // Liveness

  private void watch() {
    long ping = timing.ping().toNanos();
    long read = timing.read().toNanos();
    long nextPing = System.nanoTime() + ping;
    while (!ended.isDone()) {
      long now = System.nanoTime();
      LinkSocket open = socket;
      long until = ping;
      if (open != null) {
        if (now - open.lastFrame() >= read) {
          open.cut("no frame from the peer for " + timing.read().toMillis() + " ms");
          continue;
        }
        if (out.stalled()) {
          open.cut("the peer takes nothing any more");
          continue;
        }
        if (now - nextPing >= 0) {
          nextPing = now + ping;
          open.ping();
        }
        until = Math.min(nextPing - now, open.lastFrame() + read - now);
      }
      streams.tick(now);
      long held = in.expire(now);
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
      resumption.forget();
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

  /** Cuts the connection at once, for good. */
  void abort(String reason) {
    closing = true;
    LinkSocket open = socket;
    Candidate waiting = candidate;
    if (open != null) {
      open.abort(reason);
    }
    if (waiting != null) {
      waiting.socket.abort(reason);
    }
    lost(reason);
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
      LinkSocket open = socket;
      if (open != null) {
        // A fifth of the time is kept for the close frame and its answer.
        out.awaitIdle(limit.toNanos() - limit.toNanos() / 5);
        closing = true;
        open.close(code, reason, Duration.ofNanos(end - System.nanoTime()));
      }
    } finally {
      abort(reason);
    }
  }

  /** Completes with the reason when the connection is gone; never exceptionally. */
  CompletableFuture<String> ended() {
    return ended;
  }

  /** The address this side has on the connection; empty if it is not known. */
  String localAddress() {
    LinkSocket open = socket;
    return open == null ? "" : open.localAddress();
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
