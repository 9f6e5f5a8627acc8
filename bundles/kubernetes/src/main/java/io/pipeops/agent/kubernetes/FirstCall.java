package io.pipeops.agent.kubernetes;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Lets one call go ahead until the server has answered for the first time, and gives it time. The
 * first TLS handshake of a process on a tenth of a core takes many seconds: several at once would
 * take several times as long, and one that is given up half-way is begun again. Safe for threads.
 */
final class FirstCall {
  /** What a call may take before the server has ever answered. */
  static final Duration LIMIT = Duration.ofSeconds(20);

  private boolean underWay;
  private boolean answered;

  /** When a call that begins now has to end, as {@link System#nanoTime}. */
  synchronized long end(Duration limit) {
    Duration longest = answered || limit.compareTo(LIMIT) > 0 ? limit : LIMIT;
    return System.nanoTime() + longest.toNanos();
  }

  /**
   * Waits while another call is the first.
   *
   * @return whether this call is the first now, and has to {@link #leave}
   */
  synchronized boolean enter(long end) throws InterruptedException {
    long left;
    while (underWay && !answered && (left = end - System.nanoTime()) > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
    if (answered || underWay) {
      return false;
    }
    underWay = true;
    return true;
  }

  synchronized void answered() {
    if (!answered) {
      answered = true;
      notifyAll();
    }
  }

  /** The first call is over, however it ended; if it failed, the next one is the first. */
  synchronized void leave() {
    underWay = false;
    notifyAll();
  }
}
