package io.pipeops.hub.store;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waits for a condition, with a limit. */
public final class Await {
  private Await() {}

  public static void until(BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("The condition did not come true");
      }
      Thread.onSpinWait();
      java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
    }
  }
}
