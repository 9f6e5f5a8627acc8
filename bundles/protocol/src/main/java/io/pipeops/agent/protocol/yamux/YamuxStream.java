package io.pipeops.agent.protocol.yamux;

import io.pipeops.agent.api.link.LinkStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One byte stream in both directions. Straight blocking calls, meant for virtual threads: one may
 * read while another writes. Whoever has a stream must {@link #close} it; after an interrupted
 * write that is all it is good for.
 */
public final class YamuxStream implements LinkStream, AutoCloseable {
  /** A frame's payload is not longer, so that streams take turns. */
  static final int MAX_PAYLOAD = 32 << 10;

  private final int id;
  private final YamuxSession session;
  private final boolean ours;

  /** Held over a whole write, so that the end of data cannot overtake data. */
  private final Object writing = new Object();

  /**
   * Not a monitor: waking a virtual thread that waits in one takes the detour through a thread of
   * the JVM's, which is a switch more for each piece that arrives.
   */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition input = lock.newCondition();
  private final Condition room = lock.newCondition();

  // All below is guarded by the lock.
  private final ReceiveWindow window;
  private long sendWindow = YamuxSettings.BASE_WINDOW;
  private boolean acknowledged;
  private boolean inputEnded;
  private boolean outputEnded;

  /** Since when this side, having ended its data, neither received nor read anything. */
  private long quietSince;

  private String failure;
  private Runnable whenOver;

  YamuxStream(int id, YamuxSession session, boolean ours, ReceiveWindow window) {
    this.id = id;
    this.session = session;
    this.ours = ours;
    this.window = window;
  }

  @Override
  public int id() {
    return id;
  }

  boolean ours() {
    return ours;
  }

  /**
   * Reads what has arrived, at least one byte, waiting for it without limit.
   *
   * @return how many bytes; -1 at the peer's end of data; 0 only if the target is full already
   * @throws YamuxException if the stream was reset or the session has ended
   */
  @Override
  public int read(ByteBuffer target) throws IOException, InterruptedException {
    return read(target, Duration.ZERO);
  }

  /**
   * As {@link #read(ByteBuffer)}, with a limit; zero means none.
   *
   * @throws SocketTimeoutException if nothing arrived in time
   */
  public int read(ByteBuffer target, Duration limit) throws IOException, InterruptedException {
    if (!target.hasRemaining()) {
      return 0;
    }
    int read;
    int delta;
    lock.lock();
    try {
      if (!awaitInput(limit)) {
        return -1;
      }
      read = window.read(target);
      delta = windowUpdate();
    } finally {
      lock.unlock();
    }
    announce(delta);
    return read;
  }

  /**
   * The next bytes as they lie in memory, the caller's to keep, waiting for them.
   *
   * @param limit how long to wait; zero means without limit
   * @return null at the peer's end of data
   * @throws SocketTimeoutException if nothing arrived in time
   * @throws YamuxException if the stream was reset or the session has ended
   */
  @Override
  public ByteBuffer take(Duration limit) throws IOException, InterruptedException {
    ByteBuffer piece;
    int delta;
    lock.lock();
    try {
      if (!awaitInput(limit)) {
        return null;
      }
      piece = window.take();
      delta = windowUpdate();
    } finally {
      lock.unlock();
    }
    announce(delta);
    return piece;
  }

  private boolean awaitInput(Duration limit) throws IOException, InterruptedException {
    long left = limit.toNanos();
    while (!window.hasData()) {
      checkUsable();
      if (inputEnded) {
        return false;
      }
      if (limit.isZero()) {
        input.await();
      } else if (left <= 0) {
        throw new SocketTimeoutException("yamux stream " + id + ": nothing was received in time");
      } else {
        left = input.awaitNanos(left);
      }
    }
    checkUsable();
    return true;
  }

  private void checkUsable() throws YamuxException {
    if (failure != null) {
      throw new YamuxException("yamux stream " + id + ": " + failure);
    }
  }

  private int windowUpdate() {
    if (inputEnded) {
      return 0;
    }
    long now = System.nanoTime();
    quietSince = now;
    return window.update(now, session.roundTripNanos());
  }

  private void announce(int delta) throws IOException, InterruptedException {
    if (delta > 0) {
      session.control(FrameHeader.frame(FrameHeader.WINDOW_UPDATE, 0, id, delta));
      session.measureRoundTrip();
    }
  }

  /**
   * Writes all the bytes, waiting for the peer's window and the connection.
   *
   * @throws YamuxException if this side has ended its data, the stream was reset or the session has
   *     ended
   */
  @Override
  public void write(ByteBuffer data) throws IOException, InterruptedException {
    synchronized (writing) {
      while (data.hasRemaining()) {
        int n = claim(Math.min(data.remaining(), MAX_PAYLOAD));
        ByteBuffer frame = FrameHeader.data(0, id, data.slice(data.position(), n));
        session.data(id, frame);
        data.position(data.position() + n);
      }
    }
  }

  private int claim(int most) throws IOException, InterruptedException {
    lock.lock();
    try {
      while (true) {
        checkUsable();
        if (outputEnded) {
          throw new YamuxException("yamux stream " + id + ": written after its end");
        }
        if (sendWindow > 0) {
          int n = (int) Math.min(most, sendWindow);
          sendWindow -= n;
          return n;
        }
        room.await();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Ends this side's data after all that was written; the peer's may go on. */
  @Override
  public void shutdownOutput() throws IOException, InterruptedException {
    synchronized (writing) {
      lock.lock();
      try {
        if (failure != null || outputEnded) {
          return;
        }
        outputEnded = true;
        quietSince = System.nanoTime();
      } finally {
        lock.unlock();
      }
      session.data(id, FrameHeader.frame(FrameHeader.WINDOW_UPDATE, FrameHeader.FIN, id, 0));
    }
    removeIfDone();
  }

  @Override
  public void whenOver(Runnable action) {
    lock.lock();
    try {
      if (failure == null) {
        whenOver = action;
        return;
      }
    } finally {
      lock.unlock();
    }
    action.run();
  }

  /** Ends both directions at once, telling the peer. Does not wait. */
  @Override
  public void reset() {
    if (fail("reset here", false)) {
      session.offer(FrameHeader.frame(FrameHeader.WINDOW_UPDATE, FrameHeader.RST, id, 0));
    }
  }

  /**
   * Gives the stream's memory back. A stream that has not ended on both sides is reset, and the
   * reset may overtake data; so for a good end call {@link #shutdownOutput} and read to the end
   * first.
   */
  @Override
  public void close() {
    if (!done()) {
      reset();
    }
    fail("closed", true);
  }

  private boolean done() {
    lock.lock();
    try {
      return failure != null || (inputEnded && outputEnded);
    } finally {
      lock.unlock();
    }
  }

  /** Whether the peer has ended its data and all of it has been read. */
  public boolean inputShutdown() {
    lock.lock();
    try {
      return inputEnded && !window.hasData();
    } finally {
      lock.unlock();
    }
  }

  /** Whether it can no longer be used: reset, closed, or its session has ended. */
  public boolean over() {
    lock.lock();
    try {
      return failure != null;
    } finally {
      lock.unlock();
    }
  }

  // What follows is called by the session.

  /** Makes the stream unusable; false if it was already, or is properly done. */
  boolean fail(String reason, boolean evenIfDone) {
    Runnable hook;
    lock.lock();
    try {
      if (failure != null || (!evenIfDone && inputEnded && outputEnded)) {
        return false;
      }
      failure = reason;
      window.release();
      input.signalAll();
      room.signalAll();
      hook = whenOver;
      whenOver = null;
    } finally {
      lock.unlock();
    }
    session.remove(this);
    if (hook != null) {
      hook.run();
    }
    return true;
  }

  int startWindow() {
    lock.lock();
    try {
      return window.start();
    } finally {
      lock.unlock();
    }
  }

  /** Marks the peer's acknowledgement; true the first time. */
  boolean acknowledge() {
    lock.lock();
    try {
      boolean first = ours && !acknowledged;
      acknowledged = true;
      return first;
    } finally {
      lock.unlock();
    }
  }

  /** Uses window for a frame; false if it is longer than the peer was allowed. */
  boolean claimInput(long bytes) {
    lock.lock();
    try {
      if (bytes > window.left()) {
        return false;
      }
      window.claim((int) bytes);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Takes payload; false if the memory is used up. */
  boolean receive(ByteBuffer data) {
    lock.lock();
    try {
      if (inputEnded || failure != null) {
        return true;
      }
      boolean added = window.add(data);
      if (outputEnded) {
        quietSince = System.nanoTime();
      }
      input.signalAll();
      return added;
    } finally {
      lock.unlock();
    }
  }

  /** Adds to the send window; false if the sum is beyond 32 bits. */
  boolean openSendWindow(long delta) {
    lock.lock();
    try {
      sendWindow += delta;
      room.signalAll();
      return sendWindow <= 0xFFFF_FFFFL;
    } finally {
      lock.unlock();
    }
  }

  void endInput() {
    lock.lock();
    try {
      inputEnded = true;
      input.signalAll();
    } finally {
      lock.unlock();
    }
    removeIfDone();
  }

  private void removeIfDone() {
    if (done()) {
      session.remove(this);
    }
  }

  /** Whether this side has ended, and the peer has neither ended nor sent for longer than that. */
  boolean halfClosedFor(Duration time) {
    lock.lock();
    try {
      return outputEnded
          && !inputEnded
          && failure == null
          && !window.hasData()
          && System.nanoTime() - quietSince > time.toNanos();
    } finally {
      lock.unlock();
    }
  }
}
