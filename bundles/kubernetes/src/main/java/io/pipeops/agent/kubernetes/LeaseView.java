package io.pipeops.agent.kubernetes;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/**
 * The lease as far as this replica knows, and for how long it has not changed. Only the own clock
 * decides whether it has run out: those of others may be wrong.
 */
final class LeaseView implements LeaseWatch.Observer {
  /** A lease not renewed for this many times its duration is over, whatever the clocks say. */
  private static final int CERTAINLY_OVER = 10;

  private final String identity;
  private final Duration standard;
  private LeaseRecord seen;
  private long seenAt = System.nanoTime();
  private boolean ended;
  private int status;
  private boolean closed;

  LeaseView(String identity, Duration standard) {
    this.identity = identity;
    this.standard = standard;
  }

  @Override
  public synchronized void observed(LeaseRecord lease) {
    if (lease == null || seen == null || !lease.version().equals(seen.version())) {
      seenAt = System.nanoTime();
    }
    seen = lease;
    notifyAll();
  }

  @Override
  public synchronized void ended(int answer) {
    ended = true;
    status = answer;
    notifyAll();
  }

  synchronized LeaseRecord seen() {
    return seen;
  }

  /** Where a watch begins. */
  synchronized String version() {
    return seen == null ? "" : seen.version();
  }

  /** Who else leads; empty if nobody does, or if the lease has run out. */
  synchronized String other() {
    return free() ? "" : seen.holder();
  }

  /** Whether this replica may take it. */
  synchronized boolean free() {
    return seen == null
        || seen.holder().isEmpty()
        || seen.holder().equals(identity)
        || left() <= 0
        || abandoned();
  }

  private boolean abandoned() {
    Instant renewed = seen.renewed();
    Duration limit = seen.duration(standard).multipliedBy(CERTAINLY_OVER);
    return !renewed.equals(Instant.EPOCH)
        && Duration.between(renewed, Instant.now()).compareTo(limit) > 0;
  }

  private long left() {
    return seenAt + seen.duration(standard).toNanos() - System.nanoTime();
  }

  /** Whether another replica has written itself into it. */
  synchronized boolean taken() {
    return seen != null && !seen.holder().isEmpty() && !seen.holder().equals(identity);
  }

  /** Before a watch begins. */
  synchronized void watching() {
    ended = false;
    status = 0;
  }

  /**
   * Waits until the lease may be taken or nothing more is heard of it.
   *
   * @return the status with which the watch ended; 0 if it did not, or without an answer
   */
  synchronized int awaitFree(long longestNanos) throws InterruptedException {
    long end = System.nanoTime() + longestNanos;
    while (!closed && !ended && !free() && end - System.nanoTime() > 0) {
      pause(Math.min(left(), end - System.nanoTime()));
    }
    return status;
  }

  /** Waits until another replica has taken it; false if none did in time. */
  synchronized boolean awaitTaken(long end) throws InterruptedException {
    while (!closed && !ended && !taken() && end - System.nanoTime() > 0) {
      pause(end - System.nanoTime());
    }
    return taken();
  }

  synchronized boolean ended() {
    return ended;
  }

  /** Waits until then, or until this is closed. */
  synchronized void awaitTime(long end) throws InterruptedException {
    while (!closed && end - System.nanoTime() > 0) {
      pause(end - System.nanoTime());
    }
  }

  private void pause(long nanos) throws InterruptedException {
    TimeUnit.NANOSECONDS.timedWait(this, Math.max(nanos, 1_000_000));
  }

  synchronized void close() {
    closed = true;
    notifyAll();
  }

  synchronized boolean closed() {
    return closed;
  }
}
