package io.pipeops.agent.link;

import java.time.Duration;
import java.util.function.DoubleSupplier;

/**
 * The waits between attempts (protocol 1.12): doubling, capped, up to a quarter added at random.
 */
final class Backoff {
  private final Duration first;
  private final Duration cap;
  private final DoubleSupplier random;
  private Duration next;

  /**
   * Starts at the first wait.
   *
   * @param random numbers from 0 to 1
   */
  Backoff(Duration first, Duration cap, DoubleSupplier random) {
    this.first = first;
    this.cap = cap;
    this.random = random;
    this.next = first;
  }

  void reset() {
    next = first;
  }

  /** How long to wait now; the one after it will be longer. */
  Duration next() {
    Duration now = next;
    Duration twice = next.multipliedBy(2);
    next = twice.compareTo(cap) > 0 ? cap : twice;
    return jittered(now);
  }

  /** The longest wait, for what will not mend soon. */
  Duration longest() {
    next = cap;
    return jittered(cap);
  }

  private Duration jittered(Duration delay) {
    return delay.plusNanos((long) (delay.toNanos() * 0.25 * random.getAsDouble()));
  }
}
