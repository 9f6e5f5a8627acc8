package io.pipeops.agent.itests;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;

/**
 * Waits for a condition with a limit; looks at it every 20 ms. One that is costly to look at, such
 * as a program that is run, takes at most a third of the time.
 */
public final class Await {
  private Await() {}

  public static void until(String what, Duration limit, Callable<Boolean> condition) {
    value(what, limit, () -> condition.call() ? Boolean.TRUE : null);
  }

  /** The first value that is not null. An exception of the condition counts as "not yet". */
  public static <T> T value(String what, Duration limit, Callable<T> condition) {
    long end = System.nanoTime() + limit.toNanos();
    Exception last = null;
    while (true) {
      long begun = System.nanoTime();
      try {
        T value = condition.call();
        if (value != null) {
          return value;
        }
        last = null;
      } catch (Exception e) {
        last = e;
      }
      if (System.nanoTime() > end) {
        throw new AssertionError("Not within " + limit + ": " + what, last);
      }
      long took = System.nanoTime() - begun;
      LockSupport.parkNanos(Math.clamp(2 * took, 20_000_000L, 1_000_000_000L));
    }
  }
}
