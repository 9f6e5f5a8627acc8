package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.Bundle;
import org.osgi.framework.wiring.BundleWiring;

/**
 * A feature that was switched off or replaced leaves nothing behind in the agent: its class loader
 * is collected and its threads have ended. Hub and cluster are real and in processes of their own.
 */
@Isolated("counts the threads of this process")
class ClassLoaderIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** Longer than idle threads of the JDK's HTTP client live. */
  private static final Duration THREADS = Duration.ofSeconds(120);

  @TempDir static Path dir;
  private static FeatureKit kit;
  private static Spine spine;
  private static AgentContainer agent;
  private static int versions;

  @BeforeAll
  static void start() throws Exception {
    kit = new FeatureKit(dir.resolve("features"));
    spine = Spine.prepared(dir);
    spine.startCluster();
    spine.startHub();
    spine.values.put("link.token_file", dir.resolve("hub/agent.token").toString());
    spine.values.put("link.tls_ca_file", dir.resolve("hub/ca.crt").toString());
    spine.values.put("link.cluster_name", "itest");
    spine.values.put("tunnel.agent_credentials", "true");
    spine.values.put("http.port", "0");
    spine.values.put("http.host", "127.0.0.1");
    spine.writeSettings();
    agent =
        AgentContainer.start(
            Map.of(
                "agent.run.dir", dir.resolve("agent-run").toString(),
                "agent.settings.file", spine.settings.toString(),
                "agent.features.dir", kit.folder().toString()));
    awaitWork();
  }

  @AfterAll
  static void stop() {
    if (agent != null) {
      agent.close();
    }
    if (spine != null) {
      spine.close();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"heartbeat", "tunnel"})
  void aFeatureThatIsSwitchedOffIsCollected(String feature) throws Exception {
    // Once for what the platform keeps of its first use.
    enable(feature, false);
    enable(feature, true);
    Map<String, Integer> before = Threads.byName(dir);
    for (int i = 0; i < 3; i++) {
      WeakReference<ClassLoader> old = loader(feature);
      enable(feature, false);
      collected(feature, old);
      enable(feature, true);
    }
    threadsAreBack(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"heartbeat", "tunnel"})
  void aFeatureThatIsUpgradedIsCollected(String feature) throws Exception {
    upgrade(feature);
    Map<String, Integer> before = Threads.byName(dir);
    for (int i = 0; i < 2; i++) {
      WeakReference<ClassLoader> old = loader(feature);
      upgrade(feature);
      collected(feature, old);
    }
    threadsAreBack(before);
  }

  /** That the tests above would see it if something stayed. */
  @Test
  void aThreadThatIsLeftBehindIsFound() throws Exception {
    String version = nextVersion();
    kit.upgradeWith("heartbeat", version, LeakingActivator.class);
    await("heartbeat", List.of(version));
    WeakReference<ClassLoader> old = loader("heartbeat");
    enable("heartbeat", false);
    for (int i = 0; i < 5; i++) {
      System.gc();
    }
    assertFalse(old.refersTo(null), "the thread holds the class loader");
    assertEquals(1, Threads.byName(dir).get("left-behind"));
    Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("left-behind"))
        .forEach(Thread::interrupt);
    collected("heartbeat", old);
    kit.upgrade("heartbeat", nextVersion());
    enable("heartbeat", true);
  }

  private static String nextVersion() {
    return "1." + ++versions + ".0";
  }

  private static void enable(String feature, boolean enabled) throws Exception {
    spine.values.put("features." + feature + ".enabled", String.valueOf(enabled));
    spine.writeSettings();
    await(feature, enabled ? List.of("ACTIVE") : List.of());
  }

  private static void upgrade(String feature) throws Exception {
    String version = nextVersion();
    kit.upgrade(feature, version);
    await(feature, List.of(version));
  }

  /** Waits for exactly one bundle, by version or any; then for an answer through the tunnel. */
  private static void await(String feature, List<String> expected) throws Exception {
    AgentContainer.settles(
        feature + " is " + expected,
        LIMIT,
        () -> {
          List<String> found = new ArrayList<>();
          for (Bundle bundle : agent.bundles("io.pipeops.agent." + feature)) {
            boolean active = bundle.getState() == Bundle.ACTIVE;
            boolean any = expected.contains("ACTIVE");
            found.add(active ? any ? "ACTIVE" : bundle.getVersion().toString() : "not active");
          }
          return found.equals(expected) ? List.of() : List.of("it is " + found);
        });
    if (!(feature.equals("tunnel") && expected.isEmpty())) {
      awaitWork();
    }
  }

  private static void awaitWork() {
    Await.until("an answer of the cluster", LIMIT, () -> spine.get("/version").statusCode() == 200);
  }

  /** In a method of its own, so that no frame of the test holds the bundle. */
  private static WeakReference<ClassLoader> loader(String feature) {
    Bundle bundle = agent.bundles("io.pipeops.agent." + feature).get(0);
    return new WeakReference<>(bundle.adapt(BundleWiring.class).getClassLoader());
  }

  private static void collected(String feature, WeakReference<ClassLoader> old) {
    Await.until(
        "the class loader of the " + feature + " that left is collected",
        LIMIT,
        () -> {
          System.gc();
          return old.refersTo(null);
        });
  }

  private static void threadsAreBack(Map<String, Integer> before) throws Exception {
    AgentContainer.settles(
        "the threads are back to " + before,
        THREADS,
        () -> {
          Map<String, Integer> now = Threads.byName(dir);
          return sum(now) <= sum(before) ? List.of() : List.of("they are " + now);
        });
  }

  private static int sum(Map<String, Integer> threads) {
    return threads.values().stream().mapToInt(Integer::intValue).sum();
  }
}
