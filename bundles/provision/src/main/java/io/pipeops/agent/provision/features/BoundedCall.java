package io.pipeops.agent.provision.features;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Calls into code of others that may never return. */
final class BoundedCall {
  private BoundedCall() {}

  /**
   * Calls on a virtual thread; for short questions.
   *
   * @throws BadFeature if the call fails or takes longer; a thread that hangs is interrupted
   */
  static <T> T ask(String what, Duration limit, Callable<T> call)
      throws BadFeature, InterruptedException {
    FutureTask<T> task = new FutureTask<>(call);
    Thread thread = Thread.ofVirtual().name("provision " + what).start(task);
    return await(what, limit, task, thread);
  }

  /**
   * Calls on a platform thread, as a framework expects it for starting and stopping bundles.
   *
   * @throws BadFeature if the call fails or takes longer; a thread that hangs is interrupted
   */
  static <T> T act(String what, Duration limit, Callable<T> call)
      throws BadFeature, InterruptedException {
    FutureTask<T> task = new FutureTask<>(call);
    Thread thread = Thread.ofPlatform().daemon().name("provision " + what).start(task);
    return await(what, limit, task, thread);
  }

  private static <T> T await(String what, Duration limit, FutureTask<T> task, Thread thread)
      throws BadFeature, InterruptedException {
    try {
      return task.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException late) {
      thread.interrupt();
      throw new BadFeature(what + " did not return within " + seconds(limit));
    } catch (ExecutionException failed) {
      throw new BadFeature(what + " failed: " + reason(failed.getCause()));
    } catch (InterruptedException interrupted) {
      thread.interrupt();
      throw interrupted;
    }
  }

  static String seconds(Duration limit) {
    return limit.toMillis() % 1000 == 0 ? limit.toSeconds() + " s" : limit.toMillis() + " ms";
  }

  /** The innermost message that says something, on one line. */
  static String reason(Throwable failure) {
    String found = failure.getClass().getSimpleName();
    for (Throwable at = failure; at != null; at = at.getCause() == at ? null : at.getCause()) {
      if (at.getMessage() != null && !at.getMessage().isBlank()) {
        found = at.getMessage();
      }
    }
    String line = found.lines().findFirst().orElse("").replaceAll("\\p{Cntrl}", " ").strip();
    return line.length() > 300 ? line.substring(0, 300) + "…" : line;
  }
}
