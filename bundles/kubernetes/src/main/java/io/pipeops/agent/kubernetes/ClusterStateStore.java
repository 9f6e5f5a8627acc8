package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent's state in a ConfigMap and a Secret (protocol 9.1): two reads at the first use, one
 * write per changed object. What cannot be read or written now is caught up by a thread of its own,
 * which lives only as long as there is something to catch up.
 */
@Component(
    service = {StateStore.class, ClusterStateStore.class},
    configurationPid = "io.pipeops.agent.kubernetes",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class ClusterStateStore implements StateStore {
  private static final Logger log = LoggerFactory.getLogger(ClusterStateStore.class);
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final Duration FIRST_PAUSE = Duration.ofSeconds(2);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(5);

  private final ClusterAccess access;
  private final KubernetesConfig config;

  /** Held while the cluster is talked to; the state itself is guarded by this object's monitor. */
  private final ReentrantLock talking = new ReentrantLock();

  private StateObject configMap;
  private StateObject secret;
  private PersistedState state;
  private boolean read;
  private boolean catchingUp;
  private boolean behind;
  private boolean closed;
  private String complaint = "";
  private Runnable identityListener = () -> {};

  @Activate
  public ClusterStateStore(@Reference ClusterAccess access, KubernetesConfig config) {
    this.access = access;
    this.config = config;
  }

  @Deactivate
  synchronized void close() {
    closed = true;
    notifyAll();
  }

  /** Is told when state that was read late names another agent than the one assumed so far. */
  synchronized void onIdentityChange(Runnable listener) {
    identityListener = listener;
  }

  @Override
  public PersistedState load() {
    synchronized (this) {
      if (state != null) {
        return state;
      }
    }
    talking.lock();
    try {
      synchronized (this) {
        if (state != null) {
          return state;
        }
      }
      begin();
    } finally {
      talking.unlock();
    }
    synchronized (this) {
      return state;
    }
  }

  @Override
  public PersistedState update(UnaryOperator<PersistedState> change) {
    load();
    PersistedState changed;
    synchronized (this) {
      changed = change.apply(state);
      if (changed.equals(state)) {
        return state;
      }
      if (changed.agentId().isEmpty()) {
        changed = changed.withAgentId(state.agentId());
      }
      state = changed;
    }
    boolean written = false;
    try {
      if (talking.tryLock(LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        try {
          written = synchronise(System.nanoTime() + LIMIT.toNanos());
        } finally {
          talking.unlock();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (!written) {
      catchUp(FIRST_PAUSE);
    }
    return changed;
  }

  /** The first read. A server that is just starting gets a few more chances within the limit. */
  private void begin() {
    long end = System.nanoTime() + LIMIT.toNanos();
    String agentId = "";
    boolean written = false;
    try {
      Optional<ApiClient> api = access.client();
      if (api.isPresent() && readWithin(end)) {
        PersistedState stored = stored();
        agentId = stored.agentId().isEmpty() ? clusterId(api.get(), end) : stored.agentId();
        written = agentId.equals(stored.agentId());
        synchronized (this) {
          state = stored.withAgentId(agentId);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    synchronized (this) {
      if (state == null) {
        state = PersistedState.EMPTY.withAgentId(AgentIdentity.ofMachine());
        log.warn(
            "The state in the cluster is not known; going on with agent={} in memory",
            state.agentId());
      }
    }
    if (!written) {
      catchUp(read ? Duration.ZERO : FIRST_PAUSE);
    }
  }

  private boolean readWithin(long end) throws InterruptedException {
    for (long pause = 200; ; pause *= 2) {
      try {
        readObjects(end);
        return true;
      } catch (RefusedException e) {
        complain(e);
        if (e.lasting()) {
          return false;
        }
      } catch (IOException e) {
        complain(e);
      }
      if (end - System.nanoTime() < TimeUnit.MILLISECONDS.toNanos(pause)) {
        return false;
      }
      TimeUnit.MILLISECONDS.sleep(pause);
    }
  }

  private static String clusterId(ApiClient api, long end) throws InterruptedException {
    try {
      return AgentIdentity.ofCluster(api, left(end));
    } catch (IOException e) {
      log.warn("The agent's id is made from the machine: {}", e.getMessage());
      return AgentIdentity.ofMachine();
    }
  }

  private void readObjects(long end) throws IOException, InterruptedException {
    if (configMap == null) {
      ApiClient api = access.client().orElseThrow(() -> new IOException(access.problem()));
      String namespace =
          config.state_namespace().isBlank()
              ? access.server().orElseThrow().namespace()
              : config.state_namespace().trim();
      configMap = new StateObject(api, false, namespace, config.state_configmap_name());
      secret = new StateObject(api, true, namespace, config.state_secret_name());
    }
    configMap.read(left(end));
    secret.read(left(end));
    read = true;
  }

  private PersistedState stored() {
    Map<String, String> open = configMap.data();
    Map<String, String> hidden = secret.data();
    return new PersistedState(
        open.getOrDefault("agent_id", ""),
        open.getOrDefault("cluster_id", ""),
        open.getOrDefault("cluster_uuid", ""),
        open.getOrDefault("gateway_ws_url", ""),
        hidden.getOrDefault("cluster_token", ""),
        hidden.getOrDefault("cluster_cert_data", ""));
  }

  /** Reads what has not been read, writes what differs; false if that has to be done later. */
  private boolean synchronise(long end) throws InterruptedException {
    try {
      if (!read) {
        readObjects(end);
        merge(stored());
      }
      PersistedState now;
      synchronized (this) {
        now = state;
      }
      configMap.write(
          Map.of(
              "agent_id", now.agentId(),
              "cluster_id", now.clusterId(),
              "cluster_uuid", now.clusterUuid(),
              "gateway_ws_url", now.gatewayUrl()),
          left(end));
      if (!now.clusterToken().isEmpty() || !now.clusterCa().isEmpty() || !secret.data().isEmpty()) {
        secret.write(
            Map.of("cluster_token", now.clusterToken(), "cluster_cert_data", now.clusterCa()),
            left(end));
      }
      settled();
      return true;
    } catch (IOException e) {
      complain(e);
      return false;
    }
  }

  /**
   * Unites what was assumed in memory with what the cluster turns out to hold. An identity that
   * exists in the cluster wins, together with the registration that belongs to it; otherwise what
   * has happened since the start wins.
   */
  private void merge(PersistedState stored) {
    Runnable listener = null;
    synchronized (this) {
      PersistedState mine = state;
      PersistedState base = stored;
      if (stored.agentId().isEmpty() || stored.agentId().equals(mine.agentId())) {
        base =
            new PersistedState(
                mine.agentId(),
                either(mine.clusterId(), stored.clusterId()),
                either(mine.clusterUuid(), stored.clusterUuid()),
                either(mine.gatewayUrl(), stored.gatewayUrl()),
                "",
                "");
      } else {
        listener = identityListener;
        log.info(
            "The cluster knows this agent by another id agent={} before={}",
            stored.agentId(),
            mine.agentId());
      }
      state =
          base.withCredentials(
              either(mine.clusterToken(), stored.clusterToken()),
              either(mine.clusterCa(), stored.clusterCa()));
    }
    if (listener != null) {
      listener.run();
    }
  }

  private synchronized void catchUp(Duration pause) {
    behind = true;
    if (!catchingUp && !closed) {
      catchingUp = true;
      Thread.ofVirtual().name("kubernetes-state").start(() -> catchUpLoop(pause));
    }
  }

  private void catchUpLoop(Duration firstPause) {
    Duration pause = firstPause;
    try {
      while (true) {
        synchronized (this) {
          long end = System.nanoTime() + pause.toNanos();
          while (!closed && end - System.nanoTime() > 0) {
            TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
          }
          if (closed) {
            return;
          }
          behind = false;
        }
        boolean written;
        talking.lockInterruptibly();
        try {
          written = synchronise(System.nanoTime() + LIMIT.toNanos());
        } finally {
          talking.unlock();
        }
        synchronized (this) {
          if (written && !behind) {
            catchingUp = false;
            return;
          }
        }
        pause = pause.compareTo(FIRST_PAUSE) < 0 ? FIRST_PAUSE : pause.multipliedBy(2);
        pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Says the same complaint only once. */
  private synchronized void complain(IOException e) {
    String text = String.valueOf(e.getMessage());
    if (!text.equals(complaint)) {
      complaint = text;
      log.warn("State is kept in memory and stored in the cluster later: {}", text);
    }
  }

  private synchronized void settled() {
    if (!complaint.isEmpty()) {
      complaint = "";
      log.info("State is stored in the cluster again");
    }
  }

  private static String either(String first, String second) {
    return first.isEmpty() ? second : first;
  }

  private static Duration left(long end) {
    return Duration.ofNanos(Math.max(end - System.nanoTime(), 1_000_000));
  }
}
