package io.pipeops.hub;

import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.hub.agents.AgentEndpoint;
import io.pipeops.hub.agents.AgentLimits;
import io.pipeops.hub.agents.AgentMetrics;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.agents.ResumeLimits;
import io.pipeops.hub.agents.StreamLimits;
import io.pipeops.hub.kube.KubeHandler;
import io.pipeops.hub.ports.PortDesk;
import io.pipeops.hub.ports.PortSettings;
import io.pipeops.hub.rest.LiveSessions;
import io.pipeops.hub.rest.RestApi;
import io.pipeops.hub.rest.RestSettings;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.StoreSettings;
import io.pipeops.hub.tls.HubTls;
import io.pipeops.hub.tls.TlsSettings;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;

/**
 * One hub at work: store, certificates, agents' sessions and the server, opened and closed
 * together.
 */
final class RunningHub implements AutoCloseable {
  private static final Duration DATABASE_WAIT = Duration.ofSeconds(5);
  private static final Duration HEARTBEAT_WRITES = Duration.ofSeconds(5);

  private interface Step {
    void close() throws Exception;
  }

  /** What is open, the last one first. */
  private final Deque<Step> open = new ArrayDeque<>();

  private final HubStore store;
  private final HubServer server;

  private RunningHub(HubConfig config, String version, Metrics metrics) throws IOException {
    try {
      store = HubStore.open(storeSettings(config));
      open.push(store::close);
      Optional<HubTls> tls = Optional.empty();
      if (!config.insecure()) {
        HubTls opened = HubTls.open(tlsSettings(config), store.state());
        open.push(opened::close);
        tls = Optional.of(opened);
      }
      ScheduledExecutorScheduler scheduler = new ScheduledExecutorScheduler("hub-timer", true);
      start(scheduler);
      open.push(scheduler::stop);
      AgentLimits limits = limits(config);
      AgentSessions sessions =
          new AgentSessions(
              store, limits, new AgentMetrics(metrics), scheduler, store.sessionWatch());
      sessions.streamLimits(streamLimits(config));
      sessions.resume(
          new ResumeLimits(Duration.ofSeconds(config.resume_seconds()), config.resume_max_bytes()));
      RestSettings rest =
          new RestSettings(version, config.external_url(), tls.flatMap(HubTls::caPem));
      PortDesk ports = new PortDesk(portSettings(config), store, sessions, metrics);
      open.push(ports::close);
      Optional<SslContextFactory.Server> certificate = tls.map(HubTls::contextFactory);
      server =
          new HubServer(
              listener(config),
              certificate,
              scheduler,
              new AgentEndpoint(store, sessions, config.gateway_url()),
              List.of(
                  new KubeHandler(
                      store,
                      sessions,
                      limits.responseHead(),
                      config.allow_impersonation(),
                      config.audit()),
                  new RestApi(
                      store, LiveSessions.of(sessions), rest, metrics, Optional.of(ports))));
      open.push(server::close);
      server.start();
      ports.start();
      // Before the server: agents are told that the hub stops, instead of being cut off.
      open.push(sessions::close);
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * Opens everything; takes a second or so.
   *
   * @throws IOException if something cannot be opened; nothing is left open then, and the message
   *     says what it was and what to do
   */
  static RunningHub open(HubConfig config, String version, Metrics metrics) throws IOException {
    return new RunningHub(config, version, metrics);
  }

  private static void start(ScheduledExecutorScheduler scheduler) throws IOException {
    try {
      scheduler.start();
    } catch (Exception e) {
      throw new IOException("The hub's timer does not start: " + e.getMessage(), e);
    }
  }

  private static StoreSettings storeSettings(HubConfig config) {
    return new StoreSettings(
        Path.of(config.state_dir()),
        path(config.tokens_dir()),
        config.database_url(),
        config.database_user(),
        config.database_password(),
        config.database_connections(),
        DATABASE_WAIT,
        HEARTBEAT_WRITES,
        config.secret_key());
  }

  private static TlsSettings tlsSettings(HubConfig config) {
    return new TlsSettings(
        List.of(config.host_names()),
        path(config.tls_cert_file()),
        path(config.tls_key_file()),
        path(config.tls_ca_file()));
  }

  private static Optional<Path> path(String text) {
    return text.isBlank() ? Optional.empty() : Optional.of(Path.of(text));
  }

  private static HubListener listener(HubConfig config) {
    return new HubListener(
        config.host(),
        config.port(),
        config.max_connections(),
        config.connection_requests(),
        Duration.ofSeconds(config.header_seconds()),
        Duration.ofSeconds(config.idle_seconds()));
  }

  private static PortSettings portSettings(HubConfig config) throws IOException {
    try {
      return PortSettings.of(
          config.port_host().isBlank() ? config.host() : config.port_host(),
          config.port_range(),
          config.port_connections());
    } catch (IllegalArgumentException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static StreamLimits streamLimits(HubConfig config) {
    long memory = config.stream_memory_bytes();
    return new StreamLimits(
        config.yamux(),
        config.agent_streams(),
        config.stream_window_bytes(),
        memory > 0 ? memory : Runtime.getRuntime().maxMemory() / 4);
  }

  private static AgentLimits limits(HubConfig config) {
    long total = config.total_queue_bytes();
    return new AgentLimits(
        config.max_message_bytes(),
        config.stream_queue_bytes(),
        total > 0 ? total : Runtime.getRuntime().maxMemory() / 4,
        Duration.ofSeconds(config.stall_seconds()),
        Duration.ofSeconds(config.ping_seconds()),
        Duration.ofSeconds(config.dead_seconds()),
        config.cluster_requests(),
        Duration.ofSeconds(config.response_seconds()));
  }

  URI address() {
    return server.address();
  }

  /**
   * Asks the database for a sign of life.
   *
   * @throws RuntimeException if it gives none; the message says why
   */
  void check() {
    store.check();
  }

  @Override
  public void close() {
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (Exception e) {
        org.slf4j.LoggerFactory.getLogger(RunningHub.class)
            .warn("While the hub stopped: {}", e.toString());
      }
    }
  }
}
