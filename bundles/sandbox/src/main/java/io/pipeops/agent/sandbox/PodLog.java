package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.concurrent.Semaphore;

/**
 * The log of a container. Nothing is kept: line n is written n half seconds after the start and
 * says always the same, so that any part of the log can be made when it is asked for, and a reader
 * can tell by the numbers that no line is missing. The newest 10,000 lines can be read.
 */
final class PodLog {
  static final Duration PACE = Duration.ofMillis(500);
  private static final int KEPT = 10_000;
  private static final int MAX_FOLLOWERS = 200;
  private static final String[] PATHS = {
    "/", "/products", "/products/7", "/cart", "/healthz", "/login", "/search?q=tea", "/about"
  };

  private final Resources resources;
  private final Semaphore followers = new Semaphore(MAX_FOLLOWERS);

  PodLog(Resources resources) {
    this.resources = resources;
  }

  void serve(Exchange exchange, Target target) throws IOException, InterruptedException {
    ObjectNode pod = pod(target);
    String container = container(exchange, pod);
    if (exchange.flag("previous")) {
      throw ApiException.badRequest(
          "container %s of pod %s has not run before".formatted(container, target.name()));
    }
    Instant started = started(pod, container);
    if (started == null) {
      throw ApiException.badRequest(
          "container %s of pod %s is waiting to start".formatted(container, target.name()));
    }
    boolean follow = exchange.flag("follow");
    if (follow && !followers.tryAcquire()) {
      throw ApiException.tooManyRequests("%d logs are being followed".formatted(MAX_FOLLOWERS));
    }
    try {
      write(exchange, target, new Source(target, container, Json.uid(pod), started), follow);
    } finally {
      if (follow) {
        followers.release();
      }
    }
  }

  private record Source(Target target, String container, String uid, Instant started) {}

  private ObjectNode pod(Target target) {
    return resources
        .store()
        .get(target.type(), target.namespace(), target.name())
        .orElseThrow(() -> ApiException.notFound(target.type(), target.name()));
  }

  private static String container(Exchange exchange, ObjectNode pod) {
    String wanted = exchange.query("container");
    JsonNode containers = Json.at(pod, "spec", "containers");
    if (wanted.isEmpty() && containers.size() == 1) {
      return Json.text(containers.get(0), "name");
    }
    for (JsonNode container : containers) {
      if (Json.text(container, "name").equals(wanted)) {
        return wanted;
      }
    }
    throw ApiException.badRequest(
        wanted.isEmpty()
            ? "pod %s has more than one container, so one must be named".formatted(Json.name(pod))
            : "pod %s has no container %s".formatted(Json.name(pod), wanted));
  }

  private static Instant started(ObjectNode pod, String container) {
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      if (Json.text(status, "name").equals(container)) {
        String running = Json.text(status, "state", "running", "startedAt");
        String ended = Json.text(status, "state", "terminated", "startedAt");
        String time = running.isEmpty() ? ended : running;
        return time.isEmpty() ? null : Instant.parse(time);
      }
    }
    return null;
  }

  private void write(Exchange exchange, Target target, Source source, boolean follow)
      throws IOException, InterruptedException {
    long next = first(exchange, source);
    boolean timestamps = exchange.flag("timestamps");
    long bytesLeft = exchange.number("limitBytes", Long.MAX_VALUE);
    OutputStream out = exchange.stream("text/plain; charset=utf-8");
    while (bytesLeft > 0) {
      long written = written(source);
      while (next < written && bytesLeft > 0) {
        byte[] line = line(source, next++, timestamps).getBytes(StandardCharsets.UTF_8);
        int length = (int) Math.min(line.length, bytesLeft);
        out.write(line, 0, length);
        bytesLeft -= length;
      }
      if (!follow) {
        break;
      }
      out.flush();
      if (!awaitLine(source, next)) {
        break;
      }
    }
    out.close();
    exchange.end();
  }

  /** The number of the first line that was asked for. */
  private long first(Exchange exchange, Source source) {
    long written = written(source);
    long first = Math.max(0, written - KEPT);
    long tail = exchange.number("tailLines", -1);
    if (tail >= 0) {
      first = Math.max(first, written - tail);
    }
    Instant since = null;
    long seconds = exchange.number("sinceSeconds", 0);
    if (seconds > 0) {
      since = resources.now().minusSeconds(seconds);
    }
    if (!exchange.query("sinceTime").isEmpty()) {
      try {
        since = Instant.parse(exchange.query("sinceTime"));
      } catch (DateTimeParseException e) {
        throw ApiException.badRequest("the parameter sinceTime is no time");
      }
    }
    if (since != null) {
      long millis = Duration.between(source.started(), since).toMillis();
      first = Math.max(first, Math.ceilDiv(millis, PACE.toMillis()));
    }
    return first;
  }

  /** How many lines the container has written by now. */
  private long written(Source source) {
    Instant until = resources.now();
    JsonNode pod =
        resources
            .store()
            .get(source.target().type(), source.target().namespace(), source.target().name())
            .orElse(Json.object());
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      String end = Json.text(status, "state", "terminated", "finishedAt");
      if (Json.text(status, "name").equals(source.container()) && !end.isEmpty()) {
        until = Instant.parse(end);
      }
    }
    return Math.max(0, Duration.between(source.started(), until).toMillis() / PACE.toMillis() + 1);
  }

  /**
   * Waits for the time of the next line.
   *
   * @return false if there will be none, because the container has ended
   */
  private boolean awaitLine(Source source, long number) throws InterruptedException {
    Instant due = source.started().plus(PACE.multipliedBy(number));
    while (true) {
      if (resources.store().closed() || !running(source)) {
        return false;
      }
      Duration left = Duration.between(resources.now(), due);
      if (!left.isPositive()) {
        return true;
      }
      resources.store().changesAfter(resources.store().version(), left);
    }
  }

  private boolean running(Source source) {
    return resources
        .store()
        .get(source.target().type(), source.target().namespace(), source.target().name())
        .filter(pod -> Json.uid(pod).equals(source.uid()) && !PodView.finished(pod))
        .isPresent();
  }

  private static String line(Source source, long number, boolean timestamps) {
    Instant time = source.started().plus(PACE.multipliedBy(number));
    String path =
        PATHS[(int) ((number * 31 + source.uid().hashCode() & 0x7fffffff) % PATHS.length)];
    long millis = 2 + (number * 7919 & 31);
    String text =
        "line=%d container=%s method=GET path=%s status=200 duration_ms=%d\n"
            .formatted(number + 1, source.container(), path, millis);
    return timestamps ? time + " " + text : text;
  }
}
