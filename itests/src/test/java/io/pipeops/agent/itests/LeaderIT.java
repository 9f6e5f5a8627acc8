package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Two agents of one cluster and one hub, with a real API server. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LeaderIT {
  private static final String NAMESPACE = "itest-leader";
  private static final int LEASE_SECONDS = 10;
  private static final Duration START = Duration.ofSeconds(60);

  @TempDir static Path dir;
  static Path cluster;
  static Spine spine;
  static Kubectl direct;
  static Replica leader;
  static Replica standby;

  @BeforeAll
  static void start() throws Exception {
    String given = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        given != null && Kubectl.available(),
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig and KUBECTL to the program");
    cluster = Path.of(given);
    direct = new Kubectl(Files.createDirectory(dir.resolve("d")), cluster);
    direct.result("", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true");
    direct.run("create", "namespace", NAMESPACE);
    spine = Spine.prepared(dir);
    spine.startHub();
    leader = replica("pod-a");
    leader.awaitReady();
    standby = replica("pod-b");
    standby.awaitReady();
  }

  @AfterAll
  static void stop() throws Exception {
    if (direct != null) {
      direct.result("", "delete", "namespace", NAMESPACE, "--wait=false");
    }
    for (AutoCloseable each : new AutoCloseable[] {leader, standby, spine}) {
      if (each != null) {
        each.close();
      }
    }
  }

  private static Replica replica(String name) throws Exception {
    return Replica.start(spine, cluster, NAMESPACE, name, LEASE_SECONDS);
  }

  private static String holder() throws Exception {
    return direct.run(
        "get", "lease", "pipeops-agent", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}");
  }

  private static JsonNode onlyCluster() throws Exception {
    JsonNode items = spine.rest("GET", "/api/v1/clusters", "").path("items");
    assertEquals(1, items.size(), items::toString);
    return items.get(0);
  }

  @Test
  @Order(1)
  void oneLeadsAndTheOtherIsReadyAndNotRegistered() throws Exception {
    assertTrue(leader.leads());
    assertFalse(standby.leads());
    assertEquals("pod-a", holder());
    assertTrue(onlyCluster().path("connected").asBoolean());
    assertTrue(standby.get("/ready").contains("\"connection_state\":\"standby\""));
    assertTrue(standby.get("/health").startsWith("200"));
    assertFalse(standby.program.log().contains("Registered cluster_id"), standby.program::log);
  }

  @Test
  @Order(2)
  void theOtherCarriesOnWithinTheLeasesTimeWhenTheLeaderIsKilled() throws Exception {
    String id = onlyCluster().path("id").asText();
    spine.kubeconfig();
    assertEquals(200, spine.get("/api/v1/namespaces/default").statusCode());
    long begun = System.nanoTime();
    leader.program.process().destroyForcibly().waitFor();
    Await.until(
        "the other serves " + standby.program.log(),
        Duration.ofSeconds(2 * LEASE_SECONDS),
        () -> spine.get("/api/v1/namespaces/default").statusCode() == 200);
    Duration took = Duration.ofNanos(System.nanoTime() - begun);
    System.out.println("served again " + took.toMillis() + " ms after SIGKILL of the leader");
    // The lease runs from its last renewal; registration and one request come on top.
    assertTrue(took.compareTo(Duration.ofSeconds(LEASE_SECONDS + 3)) < 0, took::toString);
    assertEquals(id, onlyCluster().path("id").asText());
    assertEquals("pod-b", holder());
    leader.close();
    Replica fallen = leader;
    leader = standby;
    standby = replica(fallen.name);
    standby.awaitReady();
    assertTrue(leader.leads());
  }

  @Test
  @Order(3)
  void noRequestFailsWhileLeadersAreStoppedOneAfterTheOther() throws Exception {
    try (Load load = Load.start(spine, 50, "default")) {
      for (int round = 0; round < 3; round++) {
        long before = load.done();
        Await.until("requests", START, () -> load.done() > before + 100);
        Replica old = leader;
        old.program.stop();
        leader = standby;
        Await.until("the other leads " + leader.program.log(), START, () -> leader.leads());
        assertEquals(leader.name, holder());
        onlyCluster();
        standby = replica(old.name);
        standby.awaitReady();
      }
      load.stop();
      System.out.println(
          load.done() + " requests over 3 hand-overs, slowest " + load.slowestMillis() + " ms");
      assertEquals("", load.failures(), () -> leader.program.log() + standby.program.log());
    }
  }

  @Test
  @Order(4)
  void aLeaseThatSomebodyElseHoldsEndsTheLeadAndTheStreamsGoOn() throws Exception {
    try (Load load = Load.start(spine, 50, "default")) {
      direct.run(
          "patch",
          "lease",
          "pipeops-agent",
          "-n",
          NAMESPACE,
          "--type=merge",
          "-p",
          "{\"spec\":{\"holderIdentity\":\"somebody\"}}");
      Await.until("it does not lead " + leader.program.log(), START, () -> !leader.leads());
      leader.program.awaitLog("does not lead any more", START);
      Await.until("one leads", START, () -> leader.leads() || standby.leads());
      load.stop();
      assertEquals("", load.failures(), () -> leader.program.log() + standby.program.log());
      onlyCluster();
    }
    if (standby.leads()) {
      Replica other = leader;
      leader = standby;
      standby = other;
    }
  }

  @Test
  @Order(5)
  void refusedSettingsAreAnEventAndTheLastGoodOnesStay() throws Exception {
    leader.config.swap("heartbeat: {connected_seconds: 45}\n");
    leader.program.awaitLog("Configured io.pipeops.agent.heartbeat", START);
    leader.config.swap("heartbeat: {connected_seconds: soon}\n");
    Await.until(
        "the event " + leader.program.log(),
        START,
        () ->
            direct
                .run(
                    "get",
                    "events",
                    "-n",
                    NAMESPACE,
                    "--field-selector",
                    "reason=SettingsRefused,involvedObject.name=" + leader.name,
                    "-o",
                    "jsonpath={.items[*].message}")
                .contains("heartbeat.connected_seconds"));
    assertTrue(leader.get("/ready").startsWith("200"), leader.get("/ready"));
    assertTrue(leader.program.log().contains("the last good ones stay in force"));
    assertEquals(200, spine.get("/api/v1/namespaces/default").statusCode());
    leader.config.swap(Replica.SETTINGS);
    leader.program.awaitLog("The settings are good again", START);
  }

  @Test
  @Order(6)
  void thePagesCommandsSayWhatThePageSays() throws Exception {
    DocCommands page = DocCommands.of(Path.of("..", "docs", "high-availability.md"));
    assertEquals(2, page.commands().size());
    for (String command : page.commands()) {
      String[] words = command.replace("pipeops-system", NAMESPACE).split(" ");
      assertEquals("kubectl", words[0]);
      String out = direct.run(java.util.Arrays.copyOfRange(words, 1, words.length));
      assertTrue(out.contains("HOLDER") || out.contains("SettingsRefused"), out);
    }
  }

  @Test
  @Order(7)
  void aLeaderThatNobodyFollowsStopsSoon() throws Exception {
    standby.program.stop();
    long begun = System.nanoTime();
    leader.program.stop();
    Duration took = Duration.ofNanos(System.nanoTime() - begun);
    assertTrue(took.compareTo(Duration.ofSeconds(15)) < 0, took::toString);
    assertEquals("", holder());
  }
}
