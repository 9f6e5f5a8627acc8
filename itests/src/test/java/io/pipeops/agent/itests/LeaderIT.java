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
    // A state that somebody has edited: no id can have spaces, and no more fits into the object.
    direct.withInput(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: pipeops-agent-state}, data: {agent_id:"
            + " edited by hand, notes: "
            + "n".repeat((1 << 20) - 30)
            + "}}",
        "create",
        "-n",
        NAMESPACE,
        "-f",
        "-");
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
  void anEditedAndOverfullStateIsNamedAndMended() throws Exception {
    leader.program.awaitLog(
        FaultSigns.row(9, "State is kept in memory and stored in the cluster later"), START);
    leader.program.awaitLog(FaultSigns.row(9, "Too long"), START);
    assertEquals(200, spine.get("/api/v1/namespaces/default").statusCode());
    direct.run(
        "patch",
        "configmap",
        "pipeops-agent-state",
        "-n",
        NAMESPACE,
        "--type=merge",
        "-p",
        "{\"data\":{\"notes\":null}}");
    leader.program.awaitLog("State is stored in the cluster again", START);
    String id = onlyCluster().path("agent_id").asText();
    assertTrue(id.startsWith("agent-"), id);
    assertEquals(
        id,
        direct.run(
            "get",
            "configmap",
            "pipeops-agent-state",
            "-n",
            NAMESPACE,
            "-o",
            "jsonpath={.data.agent_id}"));
  }

  @Test
  @Order(3)
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

  /** As when its node hangs, or its network is gone: nothing is closed, nothing says goodbye. */
  @Test
  @Order(4)
  void aFrozenLeaderIsReplacedAndDoesNotLeadWhenItWakes() throws Exception {
    String id = onlyCluster().path("id").asText();
    int before = leader.program.log().length();
    signal(leader, "STOP");
    long begun = System.nanoTime();
    Await.until("the other leads " + standby.program.log(), START, standby::leads);
    Await.until(
        "the other serves " + standby.program.log(),
        START,
        () -> spine.get("/api/v1/namespaces/default").statusCode() == 200);
    Duration took = Duration.ofNanos(System.nanoTime() - begun);
    System.out.println("served again " + took.toMillis() + " ms after SIGSTOP of the leader");
    assertEquals(id, onlyCluster().path("id").asText());
    try (Load load = Load.start(spine, 50, "default")) {
      Await.until("requests", START, () -> load.done() > 50);
      signal(leader, "CONT");
      awaitNotLeading(before);
      Await.until("it stands by " + leader.program.log(), START, () -> standsBy(leader));
      long then = load.done();
      Await.until("requests", START, () -> load.done() > then + 100);
      load.stop();
      assertEquals("", load.failures(), () -> leader.program.log() + standby.program.log());
    }
    assertTrue(standby.leads());
    assertEquals(standby.name, holder());
    assertEquals(id, onlyCluster().path("id").asText());
    Replica woken = leader;
    leader = standby;
    standby = woken;
    standby.awaitReady();
  }

  /** The log of a name goes on from one process to the next. */
  private static void awaitNotLeading(int after) throws Exception {
    String words = FaultSigns.row(11, "does not lead any more");
    Await.until(
        "it says that it " + words, START, () -> leader.program.log().indexOf(words, after) >= 0);
  }

  private static void signal(Replica replica, String name) throws Exception {
    String pid = Long.toString(replica.program.process().pid());
    assertEquals(0, new ProcessBuilder("kill", "-" + name, pid).start().waitFor());
  }

  private static boolean standsBy(Replica replica) throws Exception {
    return !replica.leads() && replica.get("/ready").contains("\"connection_state\":\"standby\"");
  }

  @Test
  @Order(5)
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
  @Order(6)
  void aLeaseThatSomebodyElseHoldsEndsTheLeadAndTheStreamsGoOn() throws Exception {
    int before = leader.program.log().length();
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
      awaitNotLeading(before);
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
  @Order(7)
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
                    "reason="
                        + FaultSigns.row(8, "SettingsRefused")
                        + ",involvedObject.name="
                        + leader.name,
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
  @Order(8)
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
  @Order(9)
  void aLeaderThatNobodyFollowsStopsSoon() throws Exception {
    standby.program.stop();
    long begun = System.nanoTime();
    leader.program.stop();
    Duration took = Duration.ofNanos(System.nanoTime() - begun);
    assertTrue(took.compareTo(Duration.ofSeconds(15)) < 0, took::toString);
    assertEquals("", holder());
  }
}
