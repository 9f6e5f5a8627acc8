package io.pipeops.hub.agents;

import io.pipeops.agent.api.metrics.Metrics;
import java.util.function.DoubleSupplier;

/** The hub's numbers about agents and their requests. Without a metrics service they go nowhere. */
public final class AgentMetrics {
  private static final Metrics NOWHERE =
      new Metrics() {
        @Override
        public Counter counter(String name, String help, String... labels) {
          return amount -> {};
        }

        @Override
        public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

        @Override
        public Distribution distribution(String name, String help, String... labels) {
          return value -> {};
        }
      };

  private final Metrics metrics;
  final Metrics.Counter requests;
  final Metrics.Counter errors;
  final Metrics.Counter aborts;
  final Metrics.Counter stalls;
  final Metrics.Counter sockets;
  final Metrics.Counter bytesIn;
  final Metrics.Counter bytesOut;
  final Metrics.Counter registrations;
  final Metrics.Counter refused;
  final Metrics.Counter tcpStreams;
  final Metrics.Counter orphans;
  final Metrics.Counter heartbeats;
  final Metrics.Counter malformed;
  final Metrics.Counter handOvers;
  final Metrics.Counter resumed;
  final Metrics.Counter resumesRefused;
  final Metrics.Counter resumesExpired;
  final Metrics.Distribution controlWait;
  final Metrics.Distribution interactiveWait;
  final Metrics.Distribution bulkWait;

  /**
   * @param service where to register, or null if there is no such service
   */
  public AgentMetrics(Metrics service) {
    this.metrics = service == null ? NOWHERE : service;
    requests = counter("requests_total", "Requests sent to agents");
    errors = counter("request_errors_total", "Requests that an agent failed or did not answer");
    aborts = counter("stream_aborts_total", "Requests given up before their response was complete");
    stalls = counter("stream_stalls_total", "Responses aborted because their reader was too slow");
    sockets = counter("websockets_total", "WebSockets that clusters accepted");
    bytesIn = counter("agent_received_bytes_total", "Bytes of messages received from agents");
    bytesOut = counter("agent_sent_bytes_total", "Bytes of messages sent to agents");
    registrations = counter("registrations_total", "Registrations accepted");
    refused = counter("agent_refusals_total", "Agents refused for their token or their cluster");
    tcpStreams = counter("agent_streams_total", "Streams opened to agents");
    orphans =
        counter(
            "orphans_total",
            "Streams that were ended because the agent did not know them any more");
    heartbeats = counter("heartbeats_total", "Heartbeats received");
    resumed = resumes("resumed");
    resumesRefused = resumes("refused");
    resumesExpired = resumes("expired");
    controlWait = wait("control");
    interactiveWait = wait("interactive");
    bulkWait = wait("bulk");
    handOvers = counter("hand_overs_total", "Clusters handed over from one leader to the next");
    malformed = counter("malformed_messages_total", "Messages of agents that were not understood");
  }

  void connected(DoubleSupplier value) {
    metrics.gauge("pipeops_hub_agents_connected", "Agents that serve a cluster now", value);
  }

  void streams(DoubleSupplier value) {
    metrics.gauge("pipeops_hub_streams_open", "Requests in flight to agents", value);
  }

  void sockets(DoubleSupplier value) {
    metrics.gauge("pipeops_hub_websockets_open", "WebSockets to clusters that are open now", value);
  }

  void outgoing(String queue, DoubleSupplier value) {
    metrics.gauge(
        "pipeops_hub_agent_queued_bytes",
        "Bytes that wait to be sent to agents",
        value,
        "class",
        queue);
  }

  void yamux(DoubleSupplier value) {
    metrics.gauge("pipeops_hub_agent_streams_open", "Streams to agents that are open now", value);
  }

  void away(DoubleSupplier value) {
    metrics.gauge(
        "pipeops_hub_agents_away",
        "Agents whose connection is lost and whose session is kept",
        value);
  }

  void memory(DoubleSupplier value) {
    metrics.gauge(
        "pipeops_hub_stream_memory_bytes",
        "Memory that unread data and large windows of streams take",
        value);
  }

  void queued(DoubleSupplier value) {
    metrics.gauge(
        "pipeops_hub_queued_response_bytes", "Response bytes that wait for their readers", value);
  }

  private Metrics.Counter resumes(String result) {
    return metrics.counter(
        "pipeops_hub_agent_resumes_total",
        "Lost connections of agents that were, or were not, taken up again",
        "result",
        result);
  }

  private Metrics.Distribution wait(String queue) {
    return metrics.distribution(
        "pipeops_hub_agent_wait_seconds",
        "How long messages waited before they were sent to their agent",
        "class",
        queue);
  }

  private Metrics.Counter counter(String name, String help) {
    return metrics.counter("pipeops_hub_" + name, help);
  }
}
