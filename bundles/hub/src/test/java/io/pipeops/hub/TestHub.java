package io.pipeops.hub;

import io.pipeops.hub.agents.AgentEndpoint;
import io.pipeops.hub.agents.AgentLimits;
import io.pipeops.hub.agents.AgentMetrics;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.agents.StreamLimits;
import io.pipeops.hub.kube.KubeHandler;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;

/** A hub on a free port of this machine, in plain HTTP, with a directory in memory. */
public final class TestHub implements AutoCloseable {
  public final FakeDirectory directory = new FakeDirectory();
  public final AgentSessions sessions;
  private final ScheduledExecutorScheduler scheduler = new ScheduledExecutorScheduler("test", true);
  private final HubServer server;

  public TestHub() throws Exception {
    this(AgentLimits.standard(), HubListener.local(), "");
  }

  public TestHub(AgentLimits limits, HubListener listener, String gatewayUrl) throws Exception {
    this(limits, listener, gatewayUrl, Optional.empty());
  }

  public TestHub(
      AgentLimits limits,
      HubListener listener,
      String gatewayUrl,
      Optional<SslContextFactory.Server> tls)
      throws Exception {
    scheduler.start();
    sessions = new AgentSessions(directory, limits, new AgentMetrics(null), scheduler);
    // The agents of most tests know nothing of streams; those that do switch them on.
    StreamLimits streams = StreamLimits.standard();
    sessions.streamLimits(
        new StreamLimits(false, streams.streams(), streams.window(), streams.memory()));
    server =
        new HubServer(
            listener,
            tls,
            scheduler,
            new AgentEndpoint(directory, sessions, gatewayUrl),
            List.of(new KubeHandler(directory, sessions, limits.responseHead(), false)));
    server.start();
  }

  /** Offers streams to agents that come from now on. */
  public void offerStreams() {
    sessions.streamLimits(StreamLimits.standard());
  }

  /** The standard limits with short times, for tests that wait for them. */
  public static AgentLimits quick() {
    return new AgentLimits(
        4 << 20,
        1 << 20,
        64 << 20,
        Duration.ofMillis(500),
        Duration.ofMillis(200),
        Duration.ofSeconds(4),
        16,
        Duration.ofMillis(1500));
  }

  public URI http() {
    return server.address();
  }

  public URI ws(String path) {
    return URI.create(
        http().getScheme().replace("http", "ws") + "://" + http().getAuthority() + path);
  }

  public URI kube(String clusterId, String path) {
    return URI.create(http() + "/k8s/clusters/" + clusterId + path);
  }

  /** Waits for a condition, at most ten seconds. */
  @SuppressWarnings("BusyWait")
  public static void await(String what, BooleanSupplier condition) throws InterruptedException {
    long end = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("not within ten seconds: " + what);
      }
      java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
    }
  }

  @Override
  public void close() {
    sessions.close();
    server.close();
    try {
      scheduler.stop();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
