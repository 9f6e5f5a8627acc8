package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.metrics.Metrics;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.function.ToLongFunction;

/** The numbers of the link. */
final class LinkMetrics {
  final Metrics.Counter invalid;
  final Metrics.Counter unknown;
  final Metrics.Counter reconnections;
  final Metrics.Counter messagesIn;
  final Metrics.Counter messagesOut;
  final Metrics.Counter bytesIn;
  final Metrics.Counter bytesOut;
  final Metrics.Counter resumed;
  final Metrics.Counter resumesRefused;
  final Metrics.Counter resumesExpired;
  private final Map<LinkState, Metrics.Counter> changes = new EnumMap<>(LinkState.class);
  private final Map<Priority, Metrics.Distribution> waits = new EnumMap<>(Priority.class);

  LinkMetrics(Metrics metrics, DoubleSupplier state, ToLongFunction<Priority> queued) {
    invalid =
        metrics.counter(
            "pipeops_agent_link_invalid_messages_total",
            "Messages of the peer that are no envelope");
    unknown =
        metrics.counter(
            "pipeops_agent_link_unknown_messages_total",
            "Messages of the peer whose type is unknown");
    reconnections =
        metrics.counter(
            "pipeops_agent_websocket_reconnections_total", "Connections that followed a lost one");
    String resumes = "Lost connections that were, or were not, taken up again where they were cut";
    resumed = metrics.counter("pipeops_agent_link_resumes_total", resumes, "result", "resumed");
    resumesRefused =
        metrics.counter("pipeops_agent_link_resumes_total", resumes, "result", "refused");
    resumesExpired =
        metrics.counter("pipeops_agent_link_resumes_total", resumes, "result", "expired");
    String messages = "WebSocket messages of the link";
    messagesIn = metrics.counter("pipeops_agent_link_messages_total", messages, "direction", "in");
    messagesOut =
        metrics.counter("pipeops_agent_link_messages_total", messages, "direction", "out");
    String bytes = "Bytes of WebSocket messages of the link";
    bytesIn = metrics.counter("pipeops_agent_link_bytes_total", bytes, "direction", "in");
    bytesOut = metrics.counter("pipeops_agent_link_bytes_total", bytes, "direction", "out");
    metrics.gauge(
        "pipeops_agent_connection_state",
        "0 disconnected, 1 connecting, 2 connected, 3 reconnecting, 4 standby",
        state);
    for (LinkState each : LinkState.values()) {
      changes.put(
          each,
          metrics.counter(
              "pipeops_agent_connection_state_changes_total",
              "Changes of the connection's state",
              "state",
              each.name().toLowerCase(Locale.ROOT)));
    }
    for (Priority each : Priority.values()) {
      String name = each.name().toLowerCase(Locale.ROOT);
      metrics.gauge(
          "pipeops_agent_link_queued_bytes",
          "Bytes that wait to be sent",
          () -> queued.applyAsLong(each),
          "class",
          name);
      waits.put(
          each,
          metrics.distribution(
              "pipeops_agent_link_wait_seconds",
              "How long messages waited before they were sent",
              "class",
              name));
    }
  }

  void changed(LinkState state) {
    changes.get(state).increment();
  }

  void sent(Priority priority, long nanos, int bytes) {
    messagesOut.increment();
    bytesOut.add(bytes);
    waits.get(priority).record(nanos / 1e9);
  }
}
