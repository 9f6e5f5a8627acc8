package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class FirstCallTest {
  private static final Duration SHORT = Duration.ofSeconds(1);

  private final FirstCall first = new FirstCall();

  /** Another caller, seen to wait. */
  private CompletableFuture<Boolean> another() {
    CompletableFuture<Boolean> entered = new CompletableFuture<>();
    Thread thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    entered.complete(first.enter(first.end(SHORT)));
                  } catch (InterruptedException e) {
                    entered.completeExceptionally(e);
                  }
                });
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      assertTrue(System.nanoTime() < end, "the other caller does not wait: " + thread.getState());
      LockSupport.parkNanos(1_000_000);
    }
    assertFalse(entered.isDone());
    return entered;
  }

  @Test
  void othersGoAheadTogetherOnceTheServerHasAnswered() throws Exception {
    assertTrue(first.enter(first.end(SHORT)));
    CompletableFuture<Boolean> one = another();
    CompletableFuture<Boolean> two = another();
    first.answered();
    assertFalse(one.get(15, TimeUnit.SECONDS));
    assertFalse(two.get(15, TimeUnit.SECONDS));
    first.leave();
    assertFalse(first.enter(first.end(SHORT)));
  }

  @Test
  void theNextIsTheFirstIfTheFirstFailed() throws Exception {
    assertTrue(first.enter(first.end(SHORT)));
    CompletableFuture<Boolean> next = another();
    first.leave();
    assertTrue(next.get(15, TimeUnit.SECONDS));
  }

  @Test
  void waitsNoLongerThanItMay() throws Exception {
    assertTrue(first.enter(first.end(SHORT)));
    assertFalse(first.enter(System.nanoTime() + 1_000_000));
  }

  @Test
  void isPatientOnlyUntilTheFirstAnswer() {
    long begun = System.nanoTime();
    assertTrue(first.end(SHORT) - begun >= FirstCall.LIMIT.toNanos());
    assertTrue(first.end(Duration.ofMinutes(1)) - begun >= Duration.ofMinutes(1).toNanos());
    first.answered();
    assertTrue(first.end(SHORT) - System.nanoTime() <= SHORT.toNanos());
  }
}
