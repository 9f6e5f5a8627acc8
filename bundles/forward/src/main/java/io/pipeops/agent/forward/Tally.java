package io.pipeops.agent.forward;

import java.util.concurrent.atomic.AtomicLong;

/** What one connection has carried, and when it last did. Safe for threads. */
final class Tally {
  private final Kind kind;
  private final Meters meters;
  private final long begun = System.nanoTime();
  private final AtomicLong in = new AtomicLong();
  private final AtomicLong out = new AtomicLong();
  private volatile long active = begun;

  Tally(Kind kind, Meters meters) {
    this.kind = kind;
    this.meters = meters;
  }

  /** Bytes that went to the target. */
  void in(long bytes) {
    in.addAndGet(bytes);
    meters.in(kind, bytes);
    active = System.nanoTime();
  }

  /** Bytes that came from the target. */
  void out(long bytes) {
    out.addAndGet(bytes);
    meters.out(kind, bytes);
    active = System.nanoTime();
  }

  long sentToTarget() {
    return in.get();
  }

  long receivedFromTarget() {
    return out.get();
  }

  long nanos() {
    return System.nanoTime() - begun;
  }

  /** How long nothing went in either direction, in nanoseconds. */
  long idle() {
    return System.nanoTime() - active;
  }
}
