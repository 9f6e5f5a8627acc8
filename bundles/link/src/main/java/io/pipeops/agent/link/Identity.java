package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who this agent is and what it was registered as (protocol 9). The truth is here, in memory; the
 * {@link StateStore} gets every change in the background and is asked once, for a bounded time,
 * before the first connect. A store that comes later is reconciled: an identity that it remembers
 * with a cluster wins over a generated one.
 */
final class Identity implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Identity.class);

  private final String configuredId;
  private final Supplier<String> generatedId;
  private final Consumer<String> registerAgain;
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(Thread.ofVirtual().name("link-state").factory());
  private StateStore store;
  private PersistedState state;
  private boolean decided;
  private boolean loaded;

  /**
   * How often a registration was made or forgotten here, and how much of that the store knows. What
   * it knows already is not written again: another replica may have registered since.
   */
  private long changes;

  private long stored;

  /**
   * Knows nothing yet but the settings.
   *
   * @param configuredId fixed identity; empty if none
   * @param generatedId what to be called when nothing is remembered; asked only then
   * @param registerAgain asks for a new registration, with the reason
   */
  Identity(String configuredId, Supplier<String> generatedId, Consumer<String> registerAgain) {
    this.configuredId = configuredId;
    this.registerAgain = registerAgain;
    this.generatedId = generatedId;
    this.state = PersistedState.EMPTY.withAgentId(configuredId);
  }

  /** A store is there: it is read in the background. */
  void attach(StateStore arrived) {
    synchronized (this) {
      store = arrived;
    }
    writer.execute(
        () -> {
          try {
            adopt(arrived.load());
          } catch (RuntimeException e) {
            log.warn("The remembered state cannot be read: {}", Failures.describe(e));
          }
        });
  }

  void detach(StateStore gone) {
    synchronized (this) {
      if (store == gone) {
        store = null;
      }
    }
  }

  /** Waits for the remembered state, but not longer than the limit; from then on it is decided. */
  synchronized PersistedState load(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (!loaded && end - System.nanoTime() > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, end - System.nanoTime()));
    }
    decided = true;
    if (state.agentId().isEmpty()) {
      state = state.withAgentId(generatedId.get());
    }
    if (!loaded) {
      log.warn(
          "The remembered state is not known yet; connecting as agent_id={} without it",
          state.agentId());
    }
    return state;
  }

  synchronized PersistedState state() {
    return state;
  }

  private void adopt(PersistedState remembered) {
    String why = "";
    synchronized (this) {
      PersistedState named =
          configuredId.isEmpty() ? remembered : remembered.withAgentId(configuredId);
      if (named.agentId().isEmpty()) {
        named = named.withAgentId(state.agentId().isEmpty() ? generatedId.get() : state.agentId());
      }
      boolean first = !loaded;
      loaded = true;
      if (first && state.clusterId().isEmpty()) {
        if (decided && !named.agentId().equals(state.agentId())) {
          why = "the remembered identity was found";
        }
        state = named;
        stored = changes;
      } else if (first
          && !named.clusterId().isEmpty()
          && !named.agentId().equals(state.agentId())) {
        why = "the remembered identity was found";
        state = named;
        stored = changes;
      }
      notifyAll();
    }
    save(this::completed);
    if (!why.isEmpty()) {
      registerAgain.accept(why);
    }
  }

  /**
   * Takes up another identity that the store has come to know since, before the next registration.
   * Waits no longer than the limit.
   */
  void refresh(Duration limit) throws InterruptedException {
    StateStore from;
    synchronized (this) {
      if (!loaded || store == null || !configuredId.isEmpty()) {
        return;
      }
      from = store;
    }
    CountDownLatch done = new CountDownLatch(1);
    writer.execute(
        () -> {
          try {
            takeUp(from.load());
          } finally {
            done.countDown();
          }
        });
    if (!done.await(limit.toNanos(), TimeUnit.NANOSECONDS)) {
      log.debug("The store is slow; the identity stays as it is");
    }
  }

  /**
   * Takes what the store knows now in place of what is known here: another replica has registered
   * since. Waits no longer than the limit.
   */
  void readAgain(Duration limit) throws InterruptedException {
    StateStore from;
    synchronized (this) {
      if (store == null) {
        return;
      }
      from = store;
    }
    CountDownLatch done = new CountDownLatch(1);
    writer.execute(
        () -> {
          try {
            PersistedState now = from.load();
            synchronized (this) {
              state = configuredId.isEmpty() ? now : now.withAgentId(configuredId);
              stored = changes;
            }
          } finally {
            done.countDown();
          }
        });
    if (!done.await(limit.toNanos(), TimeUnit.NANOSECONDS)) {
      log.debug("The store is slow; going on with what is known");
    }
  }

  private synchronized void takeUp(PersistedState now) {
    if (!now.agentId().isEmpty() && !now.agentId().equals(state.agentId())) {
      log.info("Now known as agent_id={} instead of {}", now.agentId(), state.agentId());
      state = now;
      stored = changes;
    }
  }

  /** Takes what a registration gave, and what was reported with it. */
  void registered(String clusterId, String uuid, String gateway, String token, String ca) {
    synchronized (this) {
      state = state.withRegistration(clusterId, uuid, gateway);
      state =
          state.withCredentials(
              token.isEmpty() ? state.clusterToken() : token,
              ca.isEmpty() ? state.clusterCa() : ca);
      changes++;
    }
    save(
        before ->
            onto(before)
                .withCredentials(
                    token.isEmpty() ? before.clusterToken() : token,
                    ca.isEmpty() ? before.clusterCa() : ca));
  }

  /** Forgets the cluster (protocol 1.14). */
  void clearCluster() {
    synchronized (this) {
      state = state.withRegistration("", "", "");
      changes++;
    }
    save(before -> before.withRegistration("", "", ""));
  }

  /** Credentials are written only when they were reported: others may know newer ones already. */
  private void save(UnaryOperator<PersistedState> change) {
    StateStore to;
    synchronized (this) {
      to = store;
    }
    if (to != null && !writer.isShutdown()) {
      writer.execute(
          () -> {
            long known;
            synchronized (this) {
              known = changes;
            }
            try {
              to.update(change);
              synchronized (this) {
                stored = Math.max(stored, known);
              }
            } catch (RuntimeException e) {
              log.warn("State is kept in memory only: {}", Failures.describe(e));
            }
          });
    }
  }

  /** What a store that has just been read lacks. */
  private synchronized PersistedState completed(PersistedState before) {
    return stored == changes ? before.withAgentId(state.agentId()) : onto(before);
  }

  private synchronized PersistedState onto(PersistedState before) {
    return before
        .withAgentId(state.agentId())
        .withRegistration(state.clusterId(), state.clusterUuid(), state.gatewayUrl());
  }

  /** Lets pending writes end, for a second. */
  @Override
  public void close() {
    writer.shutdown();
    try {
      if (!writer.awaitTermination(1, TimeUnit.SECONDS)) {
        writer.shutdownNow();
      }
    } catch (InterruptedException e) {
      writer.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
