package io.pipeops.agent.forward;

import io.pipeops.agent.forward.RefusedException.Reason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** All that is open, of each kind no more than its limit. Safe for threads. */
final class Forwards {
  /** What is open. */
  interface Forward {
    Kind kind();

    /** Whether it could be ended without anybody noticing. */
    default boolean idle() {
      return false;
    }

    /** Ends it at once, from any thread. */
    void cut();
  }

  private final Set<Forward> open = new HashSet<>();
  private final int[] counts = new int[Kind.values().length];
  private boolean refusing;

  /** Adds one, if there is room for it. */
  synchronized void enter(Forward forward, int limit) throws RefusedException {
    Kind kind = forward.kind();
    if (refusing) {
      throw new RefusedException(Reason.LIMIT, "the feature is being stopped");
    }
    if (counts[kind.ordinal()] >= limit) {
      throw new RefusedException(
          Reason.LIMIT,
          "too many "
              + kind.label()
              + " connections: "
              + limit
              + " are open already (forward."
              + switch (kind) {
                case TCP -> "tcp_connections";
                case UDP -> "udp_sessions";
                case API -> "api_streams";
              }
              + ")");
    }
    if (open.add(forward)) {
      counts[kind.ordinal()]++;
    }
  }

  synchronized void leave(Forward forward) {
    if (open.remove(forward)) {
      counts[forward.kind().ordinal()]--;
    }
    if (open.isEmpty()) {
      notifyAll();
    }
  }

  synchronized int open(Kind kind) {
    return counts[kind.ordinal()];
  }

  synchronized int open() {
    return open.size();
  }

  /** Ends those that nobody needs now. */
  void cutIdle() {
    for (Forward forward : all()) {
      if (forward.idle()) {
        forward.cut();
      }
    }
  }

  /** Takes no more. */
  synchronized void refuse() {
    refusing = true;
  }

  /** Waits for the last one to end; returns whether it did within the limit. */
  synchronized boolean awaitIdle(Duration limit) throws InterruptedException {
    long until = System.nanoTime() + limit.toNanos();
    while (!open.isEmpty()) {
      long left = until - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      wait(left / 1_000_000 + 1);
    }
    return true;
  }

  synchronized List<Forward> all() {
    return new ArrayList<>(open);
  }
}
