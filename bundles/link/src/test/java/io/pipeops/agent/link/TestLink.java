package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.RegistrationFact;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.link.LinkSettings.Peer;
import io.pipeops.agent.link.LinkSettings.Resume;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.link.LinkSettings.TlsFiles;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleSupplier;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** A whole link without OSGi, with short times, for tests against a {@link ScriptedPeer}. */
final class TestLink implements AutoCloseable {
  static final String TOKEN = "secret-token-4711";

  final CountingMetrics metrics = new CountingMetrics();
  final List<RegistrationFact> facts = new CopyOnWriteArrayList<>();
  final List<LinkStatus> history = new CopyOnWriteArrayList<>();
  final LinkRuntime runtime = new LinkRuntime(metrics, () -> new ArrayList<>(facts));
  final MemoryStore store = new MemoryStore();

  /** A lead that nobody elected. */
  static final Leadership ALONE = new TestLead("", 0);

  record TestLead(String lease, long term) implements Leadership {
    @Override
    public boolean handOver(Duration limit) {
      return false;
    }
  }

  TestLink() {
    this(ALONE);
  }

  /** Leads with this lead; null: does not lead yet. */
  TestLink(Leadership lead) {
    if (lead != null) {
      runtime.lead(lead);
    }
    runtime.board().add(history::add);
  }

  static Peer peer(String url) {
    return new Peer(
        url,
        true,
        TOKEN,
        "",
        "lab",
        "",
        Map.of("team", "a"),
        TlsFiles.NONE,
        "",
        List.of(),
        "1.4.2");
  }

  static Peer with(Peer peer, TlsFiles tls, String proxy) {
    return new Peer(
        peer.url(),
        peer.insecure(),
        peer.token(),
        peer.tokenFile(),
        peer.clusterName(),
        peer.agentId(),
        peer.labels(),
        tls,
        proxy,
        peer.noProxy(),
        peer.version());
  }

  static final Resume RESUME = new Resume(Duration.ofSeconds(30), 1 << 20);

  static Timing timing() {
    return new Timing(
        Duration.ofSeconds(5),
        Duration.ofMillis(200),
        Duration.ofSeconds(5),
        Duration.ofMillis(5),
        Duration.ofMillis(20),
        3,
        Duration.ofMillis(50),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10),
        Duration.ofMillis(1),
        Duration.ofSeconds(10),
        true);
  }

  static Limits limits() {
    return new Limits(32 << 20, 4 << 20, 256 << 10, Duration.ofSeconds(5), 256, 4 << 20);
  }

  static LinkSettings settings(String url) {
    return new LinkSettings(peer(url), timing(), limits(), RESUME);
  }

  TestLink start(String url) {
    return start(settings(url));
  }

  TestLink start(LinkSettings settings) {
    runtime.apply(settings);
    return this;
  }

  /** With a store that is there from the beginning. */
  TestLink remembering(PersistedState state) {
    store.state = state;
    runtime.attach(store);
    return this;
  }

  LinkStatus status() {
    return runtime.board().status();
  }

  LinkStatus await(LinkState state) {
    return await(status -> status.state() == state);
  }

  LinkStatus await(Predicate<LinkStatus> wanted) {
    TestLink.await(() -> wanted.test(status()), () -> "status is " + status());
    return status();
  }

  static void await(BooleanSupplier condition, java.util.function.Supplier<String> otherwise) {
    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError(otherwise.get());
      }
      java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
    }
  }

  @Override
  public void close() {
    runtime.close(Duration.ofSeconds(2));
  }

  /** Metrics that can be read. */
  static final class CountingMetrics implements Metrics {
    final Map<String, AtomicLong> counters = new ConcurrentHashMap<>();
    final Map<String, DoubleSupplier> gauges = new ConcurrentHashMap<>();

    private static String key(String name, String... labels) {
      return name + List.of(labels);
    }

    long count(String name, String... labels) {
      return counters.getOrDefault(key(name, labels), new AtomicLong()).get();
    }

    double gauge(String name, String... labels) {
      return gauges.get(key(name, labels)).getAsDouble();
    }

    @Override
    public Counter counter(String name, String help, String... labels) {
      AtomicLong value = counters.computeIfAbsent(key(name, labels), k -> new AtomicLong());
      return value::addAndGet;
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {
      gauges.put(key(name, labels), value);
    }

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      AtomicLong value = counters.computeIfAbsent(key(name, labels), k -> new AtomicLong());
      return sample -> value.incrementAndGet();
    }
  }

  /** A store in memory. */
  static final class MemoryStore implements StateStore {
    volatile PersistedState state = PersistedState.EMPTY.withAgentId("agent-stored");

    @Override
    public PersistedState load() {
      return state;
    }

    @Override
    public synchronized PersistedState update(UnaryOperator<PersistedState> change) {
      state = change.apply(state);
      return state;
    }
  }
}
