package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import io.pipeops.agent.protocol.TunnelFrame;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;

/**
 * One request at an agent and its response (protocol 3). The response is taken by one thread, which
 * blocks; the body of the request may be sent by another one at the same time; anyone may abort.
 * What the agent sends waits in a bounded queue. Whoever opens a stream must close it.
 *
 * <p>A stream may also carry a WebSocket (protocol 4): then a response with status 101 does not end
 * it, what {@link #take} returns are whole tunnel frames, and frames are sent the other way.
 */
public final class AgentStream implements AutoCloseable {
  /** Body chunks have at most this size before base64. */
  static final int CHUNK = ProxyRequestWindow.CHUNK;

  /** A stream that holds less than this is never blamed for the memory of all. */
  private static final long MODEST = 256 << 10;

  /** What a queued piece costs beyond its bytes, so that many tiny ones are not for free. */
  private static final int PIECE = 64;

  private static final int SWITCHING = 101;

  private final AgentSession session;
  private final String id;
  private final boolean socket;
  private final AgentLimits limits;
  private final AtomicLong totalQueued;
  private final BodyWindow window;

  /** Not a monitor: to wake a virtual thread that waits in one costs a switch more. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition news = lock.newCondition();
  private final ArrayDeque<ByteBuffer> body = new ArrayDeque<>();
  private AgentResponse head;
  private InputStream packed;
  private long queued;
  private boolean ended;
  private boolean closed;
  private IOException failure;
  private Runnable onRoom;
  private Consumer<IOException> onFailure;
  private long progress = System.nanoTime();
  private long received = System.nanoTime();
  private long taken = System.nanoTime();

  /**
   * @param socket whether it is to carry a WebSocket
   */
  AgentStream(
      AgentSession session, String id, boolean socket, AgentLimits limits, AtomicLong totalQueued) {
    this.session = session;
    this.id = id;
    this.socket = socket;
    this.limits = limits;
    this.totalQueued = totalQueued;
    this.window = new BodyWindow(session.bodyHabit(), limits.responseHead());
  }

  String id() {
    return id;
  }

  /**
   * Waits for the response to begin.
   *
   * @param patience how long, counted from the last piece of the request's body that was sent
   * @throws AgentErrorException if the agent could not carry out the request
   * @throws AgentGoneException if the connection broke
   * @throws StreamAbortedException if someone aborted the stream
   */
  public AgentResponse head(Duration patience)
      throws IOException, TimeoutException, InterruptedException {
    lock.lock();
    try {
      while (head == null) {
        if (failure != null) {
          throw failure;
        }
        if (ended) {
          throw new AgentErrorException("the agent ended the response before it began");
        }
        long left = patience.toNanos() - (System.nanoTime() - progress);
        if (left <= 0) {
          throw new TimeoutException("no response within " + patience.toSeconds() + " s");
        }
        news.awaitNanos(left);
      }
      return head;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the next piece of the response's body, waiting for it without limit.
   *
   * @return bytes that nothing else holds, or null at the end
   * @throws IOException as for {@link #head}
   */
  public ByteBuffer take() throws IOException, InterruptedException {
    Runnable resume;
    ByteBuffer piece;
    lock.lock();
    try {
      while (body.isEmpty()) {
        if (packed != null) {
          return unpack();
        }
        if (failure != null) {
          throw failure;
        }
        if (ended) {
          return null;
        }
        news.await();
      }
      piece = body.remove();
      queued -= piece.remaining() + PIECE;
      totalQueued.addAndGet(-piece.remaining() - PIECE);
      taken = System.nanoTime();
      resume = full() ? null : takeOnRoom();
    } finally {
      lock.unlock();
    }
    if (resume != null) {
      resume.run();
    }
    return piece;
  }

  /** Whether {@link #take} would answer without waiting. */
  public boolean ready() {
    lock.lock();
    try {
      return !body.isEmpty() || packed != null || failure != null || ended;
    } finally {
      lock.unlock();
    }
  }

  /** Whether {@link #take} would answer null at once. */
  public boolean complete() {
    lock.lock();
    try {
      return ended && failure == null && body.isEmpty() && packed == null;
    } finally {
      lock.unlock();
    }
  }

  private ByteBuffer unpack() throws IOException {
    byte[] piece = new byte[CHUNK];
    int length;
    try {
      length = packed.readNBytes(piece, 0, piece.length);
    } catch (IOException e) {
      throw new AgentErrorException("the agent sent a broken compressed body");
    }
    if (length == 0) {
      packed = null;
      return null;
    }
    return ByteBuffer.wrap(piece, 0, length);
  }

  /**
   * Sends the request's body to its end, as fast as the agent's connection and, where it tells
   * that, the target takes it. Returns early if the response is complete or the stream was aborted:
   * nobody wants the rest then.
   *
   * @throws IOException only if the source fails; the stream has been aborted then
   */
  public void sendBody(InputStream source) throws IOException, InterruptedException {
    byte[] buffer = new byte[CHUNK];
    while (true) {
      window.await();
      if (over()) {
        return;
      }
      int length;
      try {
        length = source.read(buffer);
      } catch (IOException e) {
        abort("the request's body broke off");
        throw e;
      }
      boolean sent =
          length < 0
              ? session.sendBodyEnd(id)
              : length == 0 || session.sendBodyChunk(id, ByteBuffer.wrap(buffer, 0, length));
      if (!sent || length < 0) {
        return;
      }
      window.sent(length);
      lock.lock();
      try {
        progress = System.nanoTime();
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Sends a frame of a WebSocket; waits while the agent's connection does not take it.
   *
   * @return false if the stream is over
   */
  public boolean sendFrame(TunnelFrame frame) throws InterruptedException {
    return !over() && session.sendFrame(id, frame);
  }

  /** Remembers whom to tell, once and without waiting, that the stream failed or was aborted. */
  public void onFailure(Consumer<IOException> listener) {
    IOException already;
    lock.lock();
    try {
      onFailure = listener;
      already = closed ? failure : null;
    } finally {
      lock.unlock();
    }
    if (already != null) {
      listener.accept(already);
    }
  }

  /** Whether nothing more is awaited from the agent. */
  boolean over() {
    lock.lock();
    try {
      return ended || failure != null || closed;
    } finally {
      lock.unlock();
    }
  }

  /** Gives the stream up: the agent is told to cancel, and whoever waits here gets the reason. */
  public void abort(String reason) {
    fail(new StreamAbortedException(reason), true);
  }

  /** Ends the stream; tells the agent to cancel if it is not done. */
  @Override
  public void close() {
    fail(new StreamAbortedException("closed"), true);
  }

  /** Ends the stream with a reason, at once: what is queued is forgotten. */
  void fail(IOException reason, boolean tellAgent) {
    boolean unfinished;
    Runnable resume;
    Consumer<IOException> listener;
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      listener = onFailure;
      unfinished = !ended && failure == null;
      if (!ended || !body.isEmpty() || packed != null) {
        failure = reason;
      }
      totalQueued.addAndGet(-queued);
      queued = 0;
      body.clear();
      packed = null;
      resume = takeOnRoom();
      news.signalAll();
    } finally {
      lock.unlock();
    }
    window.end();
    session.finished(this, unfinished && tellAgent);
    if (resume != null) {
      resume.run();
    }
    if (listener != null) {
      listener.accept(reason);
    }
  }

  // What follows is called on the connection's reader thread and never waits.

  void onHead(int status, Headers headers) throws ProtocolException {
    lock.lock();
    try {
      if (head != null) {
        throw new ProtocolException("a second response header");
      }
      if ((status < 200 || status > 599) && !(socket && status == SWITCHING)) {
        throw new ProtocolException("a response with status " + status);
      }
      head = new AgentResponse(status, headers);
      received = System.nanoTime();
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void onData(ByteBuffer data) throws ProtocolException {
    lock.lock();
    try {
      if (head == null) {
        throw new ProtocolException("a response body before its header");
      }
      if (!data.hasRemaining() || closed) {
        return;
      }
      if (body.isEmpty()) {
        taken = System.nanoTime();
      }
      body.add(data);
      queued += data.remaining() + PIECE;
      totalQueued.addAndGet(data.remaining() + PIECE);
      received = System.nanoTime();
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** A whole body that is still compressed for the tunnel (protocol 3.4.2). */
  void onPacked(byte[] gzip) throws ProtocolException {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      try {
        packed = new GZIPInputStream(new ByteArrayInputStream(gzip), 4096);
      } catch (IOException e) {
        throw new ProtocolException("a compressed body that is none");
      }
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void onEnd() {
    lock.lock();
    try {
      ended = true;
      news.signalAll();
    } finally {
      lock.unlock();
    }
    window.end();
  }

  /** More of the request's body may be sent. */
  void onWindow(long upTo) {
    window.grant(upTo);
  }

  /** Whether it is to carry a WebSocket. */
  boolean socket() {
    return socket;
  }

  /** Whether it carries a WebSocket that the cluster has accepted. */
  boolean switched() {
    lock.lock();
    try {
      return socket && head != null && head.status() == SWITCHING;
    } finally {
      lock.unlock();
    }
  }

  /** A frame of the WebSocket. */
  void onFrame(ByteBuffer frame) throws ProtocolException {
    lock.lock();
    try {
      if (!switched()) {
        throw new ProtocolException("a WebSocket frame for something else");
      }
      if (frame.hasRemaining() && !ended) {
        TunnelFrame.parse(frame);
        onData(frame);
      }
    } finally {
      lock.unlock();
    }
  }

  /** The agent failed the request; what it sent before is still delivered. */
  void onError(String text) {
    lock.lock();
    try {
      if (failure == null) {
        failure = new AgentErrorException(text.isEmpty() ? "the agent gave no reason" : text);
        news.signalAll();
      }
    } finally {
      lock.unlock();
    }
    window.end();
  }

  /**
   * Remembers what to do as soon as the queue has room again, or the stream ends.
   *
   * @return false if it has room
   */
  boolean whenRoom(Runnable resume) {
    lock.lock();
    try {
      if (closed || !full()) {
        return false;
      }
      onRoom = resume;
      return true;
    } finally {
      lock.unlock();
    }
  }

  boolean full() {
    lock.lock();
    try {
      return queued > limits.streamQueue()
          || (queued > MODEST && totalQueued.get() > limits.totalQueue());
    } finally {
      lock.unlock();
    }
  }

  /** Whether its reader has taken nothing for this long although something waits. */
  boolean stalledFor(Duration time) {
    lock.lock();
    try {
      return !body.isEmpty() && System.nanoTime() - taken > time.toNanos();
    } finally {
      lock.unlock();
    }
  }

  /** Whether data arrived within this time. */
  boolean activeWithin(Duration time) {
    lock.lock();
    try {
      return System.nanoTime() - received < time.toNanos();
    } finally {
      lock.unlock();
    }
  }

  private Runnable takeOnRoom() {
    Runnable resume = onRoom;
    onRoom = null;
    return resume;
  }

  /** The bytes of a buffer as an array that nothing else holds. */
  static byte[] bytes(ByteBuffer data) {
    if (data.hasArray()) {
      int start = data.arrayOffset() + data.position();
      return Arrays.copyOfRange(data.array(), start, start + data.remaining());
    }
    byte[] copy = new byte[data.remaining()];
    data.get(copy);
    return copy;
  }
}
