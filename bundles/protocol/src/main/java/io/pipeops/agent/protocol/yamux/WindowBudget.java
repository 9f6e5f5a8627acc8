package io.pipeops.agent.protocol.yamux;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory that all streams of all sessions may use for received data. Windows grow only while
 * there is some left; a stream whose unread data no longer fits is reset. Safe for many threads.
 */
public final class WindowBudget {
  private final long limit;
  private final AtomicLong used = new AtomicLong();

  public WindowBudget(long limit) {
    this.limit = limit;
  }

  /** Takes so many bytes, or none. */
  boolean take(long bytes) {
    long before = used.get();
    while (before + bytes <= limit) {
      if (used.compareAndSet(before, before + bytes)) {
        return true;
      }
      before = used.get();
    }
    return false;
  }

  void give(long bytes) {
    used.addAndGet(-bytes);
  }

  /** Bytes taken now, for a gauge. */
  public long used() {
    return used.get();
  }

  public long limit() {
    return limit;
  }
}
