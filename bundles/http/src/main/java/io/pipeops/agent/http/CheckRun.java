package io.pipeops.agent.http;

import java.util.concurrent.CompletableFuture;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.apache.felix.hc.api.ResultLog;

/**
 * One health check. Each call has a virtual thread of its own, and there is never more than one at
 * a time: a check that hangs costs one thread, however often readiness is asked for.
 */
final class CheckRun {
  /**
   * How a check went.
   *
   * @param name the check's name
   * @param ok whether it is content
   * @param reason what it says, in one line
   */
  record Outcome(String name, boolean ok, String reason) {}

  private final String name;
  private final HealthCheck check;
  private CompletableFuture<Outcome> running;

  CheckRun(String name, HealthCheck check) {
    this.name = name;
    this.check = check;
  }

  String name() {
    return name;
  }

  /** The outcome to come: of a call that runs already, or of a new one. */
  synchronized CompletableFuture<Outcome> start() {
    if (running == null || running.isDone()) {
      CompletableFuture<Outcome> outcome = new CompletableFuture<>();
      running = outcome;
      Thread.ofVirtual().name("health-" + name).start(() -> outcome.complete(run()));
    }
    return running;
  }

  Outcome late() {
    return new Outcome(name, false, "the check gives no answer");
  }

  private Outcome run() {
    try {
      Result result = check.execute();
      boolean ok =
          result.getStatus() == Result.Status.OK || result.getStatus() == Result.Status.WARN;
      return new Outcome(name, ok, line(message(result)));
    } catch (RuntimeException | LinkageError e) {
      return new Outcome(name, false, line("the check failed: " + e));
    }
  }

  /** The message of the entry that decided. */
  private static String message(Result result) {
    String message = "";
    for (ResultLog.Entry entry : result) {
      if (entry.getStatus() == result.getStatus() || message.isEmpty()) {
        message = entry.getMessage() == null ? "" : entry.getMessage();
      }
    }
    return message;
  }

  private static String line(String text) {
    String line = text.replaceAll("\\p{Cntrl}+", " ");
    return line.length() > 500 ? line.substring(0, 500) : line;
  }
}
