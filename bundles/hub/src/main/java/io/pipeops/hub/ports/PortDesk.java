package io.pipeops.hub.ports;

import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.ServicePort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the ports that are stored, and new ones as administrators ask for them. A port that cannot
 * be opened stays stored, so that the next start tries again. Safe for threads.
 */
public final class PortDesk implements AutoCloseable {
  /** The name of TCP in requests and in the store. */
  public static final String TCP = "tcp";

  /** The name of UDP in requests and in the store. */
  public static final String UDP = "udp";

  private static final Logger log = LoggerFactory.getLogger(PortDesk.class);
  private static final int PAGE = 500;

  private final PortSettings settings;
  private final HubStore store;
  private final AgentSessions sessions;
  private final PortMetrics metrics;
  private final Map<String, Listening> listening = new HashMap<>();
  private final Map<String, String> clusters = new HashMap<>();
  private boolean closed;

  /**
   * @param sessions whose agents carry the streams
   */
  public PortDesk(PortSettings settings, HubStore store, AgentSessions sessions, Metrics metrics) {
    this.settings = settings;
    this.store = store;
    this.sessions = sessions;
    this.metrics = new PortMetrics(metrics);
    metrics.gauge("pipeops_hub_ports_open", "Ports of the hub that are open now", this::count);
  }

  private synchronized int count() {
    return listening.size();
  }

  public PortSettings settings() {
    return settings;
  }

  /** Opens all stored ports. */
  public void start() {
    String after = "";
    while (true) {
      List<ServicePort> page = store.ports("", after, PAGE);
      for (ServicePort port : page) {
        try {
          open(port);
        } catch (IOException e) {
          log.warn(
              "Port not opened, tried again at the next start: protocol={} port={} cause={}",
              port.protocol(),
              port.port(),
              e.getMessage());
        }
      }
      if (page.size() < PAGE) {
        return;
      }
      after = page.getLast().id();
    }
  }

  private synchronized void open(ServicePort port) throws IOException {
    if (closed) {
      throw new IOException("the hub is stopping");
    }
    if (!settings.allows(port.port())) {
      throw new IOException("it is not in hub.port_range");
    }
    InetSocketAddress address = new InetSocketAddress(settings.host(), port.port());
    Route route = new Route(sessions, port);
    listening.put(
        port.id(),
        port.protocol().equals(UDP)
            ? new UdpPort(address, route, settings.connections(), metrics)
            : new TcpPort(address, route, settings.connections(), metrics));
    clusters.put(port.id(), port.clusterId());
  }

  /**
   * Makes and opens a port.
   *
   * @param wanted the hub's port; empty for any that is free
   * @throws IllegalArgumentException if there is no such cluster
   * @throws IllegalStateException if no port is free, or it cannot be opened; nothing is stored
   *     then
   */
  public ServicePort create(
      String clusterId,
      String protocol,
      Optional<Integer> wanted,
      String service,
      String namespace,
      int targetPort) {
    List<Integer> candidates = new ArrayList<>(wanted.map(List::of).orElseGet(settings::all));
    while (true) {
      ServicePort made =
          store.createPort(clusterId, protocol, candidates, service, namespace, targetPort);
      try {
        open(made);
        log.info(
            "Port opened protocol={} port={} cluster={} target={}.{}:{}",
            protocol,
            made.port(),
            clusterId,
            service,
            namespace,
            targetPort);
        return made;
      } catch (IOException e) {
        store.deletePort(clusterId, made.id());
        candidates.remove(Integer.valueOf(made.port()));
        if (candidates.isEmpty()) {
          throw new IllegalStateException(
              "Port " + made.port() + " cannot be opened: " + e.getMessage(), e);
        }
      }
    }
  }

  /** Closes and forgets a port; false if the cluster has no such port. */
  public boolean delete(String clusterId, String id) {
    boolean deleted = store.deletePort(clusterId, id);
    if (deleted) {
      close(id);
      log.info("Port closed id={} cluster={}", id, clusterId);
    }
    return deleted;
  }

  /** Closes the ports of a cluster that was deleted. */
  public void clusterDeleted(String clusterId) {
    List<String> ids;
    synchronized (this) {
      ids =
          clusters.entrySet().stream()
              .filter(each -> each.getValue().equals(clusterId))
              .map(Map.Entry::getKey)
              .toList();
    }
    ids.forEach(this::close);
  }

  private void close(String id) {
    Listening open;
    synchronized (this) {
      open = listening.remove(id);
      clusters.remove(id);
    }
    if (open != null) {
      open.close();
    }
  }

  /** Whether a stored port is open. */
  public synchronized boolean isOpen(String id) {
    return listening.containsKey(id);
  }

  @Override
  public void close() {
    List<Listening> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(listening.values());
      listening.clear();
      clusters.clear();
    }
    all.forEach(Listening::close);
  }
}
