package io.pipeops.agent.tunnel;

import java.util.concurrent.atomic.AtomicLong;

/** The memory that all bodies in waiting share. Takes never wait. */
final class ByteBudget {
  private final AtomicLong taken = new AtomicLong();
  private volatile long limit;

  ByteBudget(long limit) {
    this.limit = limit;
  }

  void limit(long bytes) {
    limit = bytes;
  }

  boolean take(long bytes) {
    while (true) {
      long now = taken.get();
      if (now + bytes > limit) {
        return false;
      }
      if (taken.compareAndSet(now, now + bytes)) {
        return true;
      }
    }
  }

  void give(long bytes) {
    taken.addAndGet(-bytes);
  }

  long taken() {
    return taken.get();
  }

  /** What one stream has taken. For one thread; {@link #close} gives all of it back. */
  final class Share implements AutoCloseable {
    private long mine;

    boolean take(long bytes) {
      boolean ok = ByteBudget.this.take(bytes);
      if (ok) {
        mine += bytes;
      }
      return ok;
    }

    void give(long bytes) {
      mine -= bytes;
      ByteBudget.this.give(bytes);
    }

    @Override
    public void close() {
      give(mine);
    }
  }
}
