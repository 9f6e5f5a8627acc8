package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.time.Duration;
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

  /**
   * How long a server that does not take connections is given before the state counts as unknown.
   */
  private static final Duration FIRST_LIMIT = Duration.ofSeconds(15);

  /**
   * How long a call of the first read may take. With a tenth of a processor the client takes tens
   * of seconds to start, and a wrong identity is costly.
   */
  private static final Duration SLOW_LIMIT = Duration.ofSeconds(45);

  private static final Duration FIRST_PAUSE = Duration.ofSeconds(2);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(5);

  private final ClusterAccess access;
  private final KubernetesConfig config;

  /** Held while the cluster is talked to; the state itself is guarded by this object's monitor. */
  private final ReentrantLock talking = new ReentrantLock();

  private StateObjects objects;
  private PersistedState state;

  /** An id that was made up for want of a better one; empty if the cluster was read first. */
  private String assumedId = "";

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
      changed = known(change.apply(state));
      if (changed.equals(state)) {
        return state;
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

  /**
   * The change without an identity that has been found wrong: who has not heard of the right one
   * yet must not write the wrong one over it, nor what was registered under it.
   */
  private PersistedState known(PersistedState changed) {
    if (changed.agentId().isEmpty()) {
      return changed.withAgentId(state.agentId());
    }
    if (changed.agentId().equals(assumedId) && !state.agentId().equals(assumedId)) {
      return state.withCredentials(changed.clusterToken(), changed.clusterCa());
    }
    return changed;
  }

  /**
   * Reads the state anew, because another replica may have written it since. What cannot be read
   * stays as it is known. Blocks for one call's limit.
   */
  void readAgain() {
    try {
      if (!talking.tryLock(LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        return;
      }
      try {
        synchronized (this) {
          if (state == null || behind) {
            return;
          }
        }
        PersistedState stored = readObjects(System.nanoTime() + LIMIT.toNanos());
        synchronized (this) {
          if (!stored.agentId().isEmpty() && !behind) {
            // The token of another replica ends with its pod; each goes on with its own.
            state =
                stored.withCredentials(
                    either(state.clusterToken(), stored.clusterToken()),
                    either(state.clusterCa(), stored.clusterCa()));
          }
        }
      } catch (IOException e) {
        log.warn("The state that another replica wrote cannot be read: {}", e.getMessage());
      } finally {
        talking.unlock();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The first read. A server that is just starting gets a few more chances within the limit. */
  private void begin() {
    long end = System.nanoTime() + FIRST_LIMIT.toNanos();
    String agentId = "";
    boolean written = false;
    try {
      Optional<ApiClient> api = access.client();
      Optional<PersistedState> found = api.isPresent() ? readWithin(end) : Optional.empty();
      if (found.isPresent()) {
        PersistedState stored = found.get();
        agentId = stored.agentId().isEmpty() ? clusterId(api.get(), slow()) : stored.agentId();
        written = agentId.equals(stored.agentId());
        read = true;
        synchronized (this) {
          state = stored.withAgentId(agentId);
        }
      } else if (api.isPresent()) {
        // The state may be forbidden where the cluster's identity is not.
        agentId = clusterId(api.get(), slow());
      }
    } catch (IOException e) {
      complain(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    synchronized (this) {
      if (state == null) {
        assumedId = agentId.isEmpty() ? AgentIdentity.ofMachine() : agentId;
        state = PersistedState.EMPTY.withAgentId(assumedId);
        log.warn(
            "The state in the cluster is not known; going on with agent={} in memory",
            state.agentId());
      }
    }
    if (!written) {
      catchUp(read ? Duration.ZERO : FIRST_PAUSE);
    }
  }

  private Optional<PersistedState> readWithin(long end) throws InterruptedException {
    for (long pause = 200; ; pause *= 2) {
      try {
        return Optional.of(readObjects(slow()));
      } catch (RefusedException e) {
        complain(e);
        if (e.lasting()) {
          return Optional.empty();
        }
      } catch (IOException e) {
        complain(e);
      }
      if (end - System.nanoTime() < TimeUnit.MILLISECONDS.toNanos(pause)) {
        return Optional.empty();
      }
      TimeUnit.MILLISECONDS.sleep(pause);
    }
  }

  private static long slow() {
    return System.nanoTime() + SLOW_LIMIT.toNanos();
  }

  /** Made from the machine only if the cluster will not say who it is; fails if it may later. */
  private static String clusterId(ApiClient api, long end)
      throws IOException, InterruptedException {
    try {
      return AgentIdentity.ofCluster(api, StateObjects.left(end));
    } catch (RefusedException e) {
      if (!e.lasting()) {
        throw e;
      }
      log.warn("The agent's id is made from the machine: {}", e.getMessage());
      return AgentIdentity.ofMachine();
    }
  }

  private PersistedState readObjects(long end) throws IOException, InterruptedException {
    if (objects == null) {
      ApiClient api = access.client().orElseThrow(() -> new IOException(access.problem()));
      String namespace =
          config.state_namespace().isBlank()
              ? access.server().orElseThrow().namespace()
              : config.state_namespace().trim();
      objects = new StateObjects(api, namespace, config);
    }
    return objects.read(end);
  }

  /** Reads what has not been read, writes what differs; false if that has to be done later. */
  private boolean synchronise(long end) throws InterruptedException {
    try {
      if (!read) {
        merge(identified(readObjects(end), end));
        read = true;
      }
      PersistedState now;
      synchronized (this) {
        now = state;
      }
      objects.write(now, end);
      settled();
      return true;
    } catch (IOException e) {
      complain(e);
      return false;
    }
  }

  /**
   * What the cluster holds; where that is no identity and ours was made up, with the one that the
   * cluster itself gives, since that is found again when the state is lost. One that is registered
   * already is kept.
   */
  private PersistedState identified(PersistedState stored, long end)
      throws IOException, InterruptedException {
    synchronized (this) {
      if (!stored.agentId().isEmpty()
          || !state.agentId().equals(assumedId)
          || !state.clusterId().isEmpty()) {
        return stored;
      }
    }
    Optional<ApiClient> api = access.client();
    return api.isPresent() ? stored.withAgentId(clusterId(api.get(), end)) : stored;
  }

  /**
   * Unites what was assumed in memory with what the cluster turns out to hold. An identity in the
   * cluster wins over one that was made up, together with the registration that belongs to it, but
   * not over a configured one; otherwise what has happened since the start wins.
   */
  private void merge(PersistedState stored) {
    Runnable listener = null;
    synchronized (this) {
      PersistedState mine = state;
      PersistedState base = mine;
      if (stored.agentId().equals(mine.agentId())) {
        base =
            mine.withRegistration(
                either(mine.clusterId(), stored.clusterId()),
                either(mine.clusterUuid(), stored.clusterUuid()),
                either(mine.gatewayUrl(), stored.gatewayUrl()));
      } else if (!stored.agentId().isEmpty() && mine.agentId().equals(assumedId)) {
        base = stored;
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
}
