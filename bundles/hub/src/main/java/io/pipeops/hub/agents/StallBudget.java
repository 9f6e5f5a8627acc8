package io.pipeops.hub.agents;

import java.time.Duration;

/**
 * How long full streams may still hold up an agent's socket. A pause is short by itself; while
 * other streams are busy, pauses also share one budget, which comes back slowly. So a slow reader
 * gets what it needs as long as it hurts nobody, and one that hurts others is cut. Safe for all
 * threads.
 */
final class StallBudget {
  /** Pauses may take this part of the time in the long run while others are busy: a tenth. */
  private static final long SHARE = 10;

  private final long pause;
  private final long most;
  private long left;
  private long since = System.nanoTime();

  StallBudget(Duration pause) {
    this.pause = pause.toNanos();
    this.most = 2 * this.pause;
    this.left = most;
  }

  /** How long a pause that begins now may last. */
  synchronized Duration allowed(boolean othersBusy) {
    if (!othersBusy) {
      return Duration.ofNanos(pause);
    }
    refill();
    return Duration.ofNanos(left < pause / 20 ? 0 : Math.min(pause, left));
  }

  /** A pause is over. */
  synchronized void spent(long nanos, boolean othersBusy) {
    if (othersBusy) {
      refill();
      left -= nanos;
    }
  }

  private void refill() {
    long now = System.nanoTime();
    left = Math.min(most, left + (now - since) / SHARE);
    since = now;
  }
}
