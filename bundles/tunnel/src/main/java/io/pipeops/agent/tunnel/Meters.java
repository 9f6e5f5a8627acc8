package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.metrics.Metrics;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.DoubleSupplier;

/** The numbers of this bundle. They go to whatever registry is there, and nowhere if none is. */
final class Meters {
  private static final String PREFIX = "pipeops_agent_tunnel_";
  private static final Metrics.Counter NOWHERE = amount -> {};

  private final DoubleSupplier activeStreams;
  private final DoubleSupplier waitingBytes;
  private volatile Series series = new Series();

  Meters(DoubleSupplier activeStreams, DoubleSupplier waitingBytes) {
    this.activeStreams = activeStreams;
    this.waitingBytes = waitingBytes;
  }

  private static final class Series {
    private Metrics owner;
    private Metrics.Counter api = NOWHERE;
    private Metrics.Counter service = NOWHERE;
    private Metrics.Counter in = NOWHERE;
    private Metrics.Counter out = NOWHERE;
    private Metrics.Counter cancelled = NOWHERE;
    private Metrics.Counter repeated = NOWHERE;
    private Metrics.Distribution seconds = value -> {};
    private final Map<Failure.Reason, Metrics.Counter> errors = new EnumMap<>(Failure.Reason.class);
  }

  /** Registers all series with a registry that has come. */
  void use(Metrics metrics) {
    Series next = new Series();
    next.owner = metrics;
    String requests = "Requests by target";
    next.api = metrics.counter(PREFIX + "requests_total", requests, "target", "api");
    next.service = metrics.counter(PREFIX + "requests_total", requests, "target", "service");
    String bytes = "Body bytes: in to the targets, out to the control plane";
    next.in = metrics.counter(PREFIX + "bytes_total", bytes, "direction", "in");
    next.out = metrics.counter(PREFIX + "bytes_total", bytes, "direction", "out");
    next.cancelled =
        metrics.counter(PREFIX + "cancelled_total", "Requests that the control plane cancelled");
    next.repeated =
        metrics.counter(
            PREFIX + "repeated_total",
            "Requests made again, because a connection of the pool died under them");
    for (Failure.Reason reason : Failure.Reason.values()) {
      if (reason != Failure.Reason.CANCELLED) {
        next.errors.put(
            reason,
            metrics.counter(
                PREFIX + "errors_total",
                "Requests that ended without a complete answer",
                "reason",
                reason.label()));
      }
    }
    next.seconds =
        metrics.distribution(PREFIX + "request_seconds", "Time from a request to its last message");
    metrics.gauge(PREFIX + "active_streams", "Streams open now", activeStreams);
    metrics.gauge(PREFIX + "waiting_bytes", "Memory taken by bodies that wait", waitingBytes);
    series = next;
  }

  /** Forgets a registry that goes, unless another took its place already. */
  void drop(Metrics metrics) {
    if (series.owner == metrics) {
      series = new Series();
    }
  }

  void request(boolean api) {
    Series now = series;
    (api ? now.api : now.service).increment();
  }

  void repeated() {
    series.repeated.increment();
  }

  void in(long bytes) {
    series.in.add(bytes);
  }

  void out(long bytes) {
    series.out.add(bytes);
  }

  void seconds(double value) {
    series.seconds.record(value);
  }

  void failed(Failure.Reason reason) {
    if (reason == Failure.Reason.CANCELLED) {
      series.cancelled.increment();
    } else {
      series.errors.getOrDefault(reason, NOWHERE).increment();
    }
  }
}
