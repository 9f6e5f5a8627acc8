package io.pipeops.hub.ports;

import io.pipeops.agent.api.metrics.Metrics;
import java.util.concurrent.atomic.AtomicInteger;

/** The numbers of the hub's ports. */
final class PortMetrics {
  final AtomicInteger tcpOpen = new AtomicInteger();
  final AtomicInteger udpOpen = new AtomicInteger();
  final Metrics.Counter tcp;
  final Metrics.Counter udp;
  final Metrics.Counter refused;
  final Metrics.Counter in;
  final Metrics.Counter out;

  PortMetrics(Metrics metrics) {
    String connections = "TCP connections and UDP clients at the hub's ports";
    tcp = metrics.counter("pipeops_hub_port_connections_total", connections, "protocol", "tcp");
    udp = metrics.counter("pipeops_hub_port_connections_total", connections, "protocol", "udp");
    refused =
        metrics.counter(
            "pipeops_hub_port_refused_total",
            "TCP connections and UDP clients that could not be served");
    String bytes = "Bytes at the hub's ports: in to the clusters, out to the clients";
    in = metrics.counter("pipeops_hub_port_bytes_total", bytes, "direction", "in");
    out = metrics.counter("pipeops_hub_port_bytes_total", bytes, "direction", "out");
    String open = "TCP connections and UDP clients at the hub's ports now";
    metrics.gauge("pipeops_hub_port_connections_open", open, tcpOpen::get, "protocol", "tcp");
    metrics.gauge("pipeops_hub_port_connections_open", open, udpOpen::get, "protocol", "udp");
  }
}
