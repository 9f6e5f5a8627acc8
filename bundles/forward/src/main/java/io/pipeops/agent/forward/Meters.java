package io.pipeops.agent.forward;

import io.pipeops.agent.api.metrics.Metrics;
import java.util.EnumMap;
import java.util.Map;

/** The numbers of this bundle. They go to whatever registry is there, and nowhere if none is. */
final class Meters {
  private static final String PREFIX = "pipeops_agent_forward_";
  private static final Metrics.Counter NOWHERE = amount -> {};

  private final Forwards forwards;
  private volatile Series series = new Series();

  Meters(Forwards forwards) {
    this.forwards = forwards;
  }

  private static final class Series {
    private Metrics owner;
    private final Map<Kind, Metrics.Counter> opened = new EnumMap<>(Kind.class);
    private final Map<Kind, Metrics.Counter> in = new EnumMap<>(Kind.class);
    private final Map<Kind, Metrics.Counter> out = new EnumMap<>(Kind.class);
    private final Map<Kind, Metrics.Distribution> seconds = new EnumMap<>(Kind.class);
    private final Map<RefusedException.Reason, Metrics.Counter> refused =
        new EnumMap<>(RefusedException.Reason.class);
    private Metrics.Counter failed = NOWHERE;
  }

  /** Registers all series with a registry that has come. */
  void use(Metrics metrics) {
    Series next = new Series();
    next.owner = metrics;
    for (Kind kind : Kind.values()) {
      String label = kind.label();
      String bytes = "Bytes carried: in to the cluster, out to the control plane";
      next.opened.put(
          kind,
          metrics.counter(
              PREFIX + "connections_total", "Connections made to targets", "kind", label));
      next.in.put(
          kind, metrics.counter(PREFIX + "bytes_total", bytes, "kind", label, "direction", "in"));
      next.out.put(
          kind, metrics.counter(PREFIX + "bytes_total", bytes, "kind", label, "direction", "out"));
      next.seconds.put(
          kind,
          metrics.distribution(
              PREFIX + "connection_seconds", "How long connections lasted", "kind", label));
      metrics.gauge(
          PREFIX + "connections_open",
          "Connections open now",
          () -> forwards.open(kind),
          "kind",
          label);
    }
    for (RefusedException.Reason reason : RefusedException.Reason.values()) {
      next.refused.put(
          reason,
          metrics.counter(
              PREFIX + "refused_total", "Connections not made", "reason", reason.label()));
    }
    next.failed =
        metrics.counter(PREFIX + "broken_total", "Connections that ended before their end of data");
    series = next;
  }

  /** Forgets a registry that goes, unless another took its place already. */
  void drop(Metrics metrics) {
    if (series.owner == metrics) {
      series = new Series();
    }
  }

  void opened(Kind kind) {
    series.opened.getOrDefault(kind, NOWHERE).increment();
  }

  void in(Kind kind, long bytes) {
    series.in.getOrDefault(kind, NOWHERE).add(bytes);
  }

  void out(Kind kind, long bytes) {
    series.out.getOrDefault(kind, NOWHERE).add(bytes);
  }

  void closed(Kind kind, long nanos) {
    Metrics.Distribution distribution = series.seconds.get(kind);
    if (distribution != null) {
      distribution.record(nanos / 1e9);
    }
  }

  void refused(RefusedException.Reason reason) {
    series.refused.getOrDefault(reason, NOWHERE).increment();
  }

  void broken() {
    series.failed.increment();
  }
}
