package io.pipeops.agent.itests;

import static io.pipeops.agent.itests.Deployed.AGENT;
import static io.pipeops.agent.itests.Deployed.NAMESPACE;
import static io.pipeops.agent.itests.Deployed.SOON;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * The images and charts on a real node, as users install them: hub and agent in a namespace of the
 * restricted level, the agent at the smallest preset.
 */
@Order(1) // The longest begins first, or the others would be over before it.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DeploymentIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String REFUSED =
      "pipeops_agent_kubernetes_requests_total{outcome=\"refused\"}";

  @TempDir static Path dir;
  static Deployed at;
  static Kubectl through;
  static HubDatabase database;

  @BeforeAll
  static void prepare() throws Exception {
    at = Deployed.prepared(dir);
  }

  @AfterAll
  static void remove() throws Exception {
    if (at != null) {
      at.close();
    }
    if (database != null) {
      database.close();
    }
  }

  @Test
  @Order(1)
  void twoInstallsAndTheClusterIsReached() throws Exception {
    at.hub.install();
    long begin = System.nanoTime();
    at.agent.install();
    System.out.printf(
        "Ready after %.1f s%n", Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1000.0);
    at.agent.test();
    through = at.connect();
    assertTrue(through.run("get", "pods", "-n", NAMESPACE).contains(AGENT));
    assertTrue(through.run("logs", "-n", NAMESPACE, "deployment/" + AGENT).contains("Link is up"));
    String refused = through.result("", "get", "secrets", "-n", NAMESPACE).err();
    assertTrue(refused.contains("forbidden"), refused);
  }

  @Test
  @Order(2)
  void theRoleEndsWhereItShould() throws Exception {
    assertEquals(
        Map.of(
            "list nodes", "yes",
            "create pods/exec", "yes",
            "get secrets", "no",
            "escalate clusterroles", "no",
            "delete nodes", "no"),
        rights(
            "list nodes",
            "create pods/exec",
            "get secrets",
            "escalate clusterroles",
            "delete nodes"));
    nothingWasRefused();
  }

  /** What the API server says to "may it" of the agent's account, in any namespace. */
  private static Map<String, String> rights(String... questions) throws Exception {
    Map<String, String> answers = new java.util.HashMap<>();
    for (String question : questions) {
      String[] what = question.split(" ");
      String[] resource = what[1].split("/");
      List<String> line =
          new ArrayList<>(
              List.of(
                  "auth",
                  "can-i",
                  what[0],
                  resource[0],
                  "-A",
                  "--as=system:serviceaccount:" + NAMESPACE + ":" + AGENT));
      if (resource.length > 1) {
        line.add("--subresource=" + resource[1]);
      }
      answers.put(question, at.kubectl.result("", line.toArray(String[]::new)).out().strip());
    }
    return answers;
  }

  /** In its own work every pod that runs had what the chart's role gives, and needed no more. */
  private static void nothingWasRefused() throws Exception {
    for (String pod : at.pods()) {
      List<String> refused =
          at.api(pod, "/metrics").lines().filter(line -> line.startsWith(REFUSED)).toList();
      assertEquals(List.of(REFUSED + " 0"), refused, at.kubectl.run("logs", "-n", NAMESPACE, pod));
    }
  }

  @Test
  @Order(3)
  void featuresAndTheirRightsAreSwitchedWithoutARestart() throws Exception {
    String pod = at.pod();
    String[] questions = {"list nodes", "list pods", "create pods/exec", "get services"};
    at.agent
        .with("features.heartbeat.enabled", false)
        .with("features.tunnel.enabled", false)
        .upgrade();
    rights(questions).forEach((question, answer) -> assertEquals("no", answer, question));
    Await.until(
        "both are gone", SOON, () -> !at.running(pod, "heartbeat") && !at.running(pod, "tunnel"));
    assertEquals(List.of(pod), at.pods());
    at.agent
        .with("features.heartbeat.enabled", true)
        .with("features.tunnel.enabled", true)
        .upgrade();
    rights(questions).forEach((question, answer) -> assertEquals("yes", answer, question));
    Await.until(
        "both are back", SOON, () -> at.running(pod, "heartbeat") && at.running(pod, "tunnel"));
    assertEquals(List.of(pod), at.pods());
    assertEquals(
        "0",
        at.kubectl.run(
            "get",
            "pod",
            pod,
            "-n",
            NAMESPACE,
            "-o",
            "jsonpath={.status.containerStatuses[0].restartCount}"));
  }

  @Test
  @Order(4)
  void identityOutlivesPodAndState() throws Exception {
    String before = at.agentId();
    at.kubectl.run(
        "delete", "configmap/pipeops-agent-state", "secret/pipeops-agent-secrets", "-n", NAMESPACE);
    at.kubectl.run("delete", "pod", at.pod(), "-n", NAMESPACE, "--wait=true");
    at.ready();
    assertEquals(before, at.agentId());
    through = at.connect();
    assertTrue(through.run("get", "namespaces").contains(NAMESPACE));
  }

  @Test
  @Order(5)
  void noRequestFailsWhileTheOnlyPodIsReplaced() throws Exception {
    // From here on the pods start in a tenth of the time.
    roll(1, "resources.limits.cpu", "1");
  }

  /** A value that replaces every pod, as a new image does, under load through the tunnel. */
  private static void roll(int replicas, String key, Object value) throws Exception {
    List<String> old = at.pods();
    String identity = at.agentId();
    try (Load load = at.load(50)) {
      Await.until("requests", SOON, () -> load.done() > 100);
      at.agent.with(key, value).upgrade();
      at.awaitPods(replicas);
      long before = load.done();
      Await.until("requests", SOON, () -> load.done() > before + 100);
      load.stop();
      System.out.println(
          load.done()
              + " requests while "
              + old
              + " went, slowest "
              + load.slowestMillis()
              + " ms");
      assertTrue(at.pods().stream().noneMatch(old::contains), old::toString);
      assertTrue(at.pods().contains(at.holder()), at.holder());
      assertEquals("", load.failures());
    }
    assertEquals(replicas, at.pods().size());
    assertEquals(identity, at.agentId());
    nothingWasRefused();
  }

  @Test
  @Order(6)
  void noRequestFailsWhileBothPodsAreReplaced() throws Exception {
    at.agent.with("replicas", 2).upgrade();
    roll(2, "podAnnotations.rolled", "twice");
  }

  @Test
  @Order(7)
  void secondReplicaTakesOver() throws Exception {
    String leader = at.holder();
    at.kubectl.run("delete", "pod", leader, "-n", NAMESPACE, "--grace-period=0", "--force");
    Await.until("another pod leads", SOON, () -> !at.holder().equals(leader));
    at.agent.test();
    JsonNode before = JSON.readTree(through.run("version", "-o", "json"));
    assertTrue(before.has("serverVersion"), before.toString());
  }

  /** Its node is cut off: nothing tells it, the hub or the API server. */
  @Test
  @Order(8)
  void secondReplicaTakesOverFromOneWithoutNetwork() throws Exception {
    at.ready();
    String cluster = at.cluster();
    String leader = at.holder();
    try (PodNetwork network = PodNetwork.of(dir, at.kubectl, NAMESPACE, leader)) {
      network.cut();
      Await.until("another pod leads", SOON, () -> !at.holder().equals(leader));
      through = at.connect();
      Await.until(
          "requests are served",
          SOON,
          () -> through.result("", "get", "namespaces", "--request-timeout=5s").code() == 0);
      String second = at.holder();
      network.mend();
      Await.until(
          "the first one knows that it does not lead",
          SOON,
          () ->
              at.kubectl
                  .run("logs", "-n", NAMESPACE, leader)
                  .contains("This replica does not lead any more"));
      at.ready();
      assertEquals(second, at.holder());
      assertEquals(cluster, at.cluster());
      assertTrue(through.run("get", "pods", "-n", NAMESPACE).contains(leader));
    }
  }

  @Test
  @Order(9)
  void uninstallLeavesNothing() throws Exception {
    at.agent.uninstall();
    Await.until(
        "pods are gone",
        SOON,
        () -> at.objects().stream().noneMatch(o -> o.startsWith("pod/agent")));
    assertEquals(List.of(), at.objects().stream().filter(o -> !o.contains("hub")).toList());
    at.hub.uninstall();
    Await.until(
        "pods are gone", SOON, () -> at.objects().stream().noneMatch(o -> o.startsWith("pod/")));
    assertEquals(List.of(), at.objects());
  }

  /** All that it keeps is outside of its pod; the tests after this one go on with it. */
  @Test
  @Order(10)
  void aHubOnPostgresIsReadyWithTheRightPasswordAndKeepsItsClusters() throws Exception {
    database = HubDatabase.start(Files.createDirectory(dir.resolve("postgres")));
    at.hubOn(database);
    at.awaitSeen("hub", FaultSigns.row(16, "password authentication failed"));
    at.awaitSeen("hub", "database_password");
    at.awaitSeen("hub", " 0/1 ");
    String log = at.kubectl.run("logs", "-n", NAMESPACE, "deployment/" + Deployed.HUB);
    assertFalse(log.contains(Deployed.WRONG), log);

    at.secret("hub-database", Map.of("username", HubDatabase.USER, "password", database.password));
    at.restartHub();
    at.agent.with("replicas", 1).with("resources.limits.cpu", "1").install();
    String cluster = at.cluster();
    at.restartHub();
    assertEquals(cluster, at.cluster());
    log = at.kubectl.run("logs", "-n", NAMESPACE, "deployment/" + Deployed.HUB);
    assertTrue(log.contains("kind=postgresql"), log);
    assertFalse(log.contains(database.password), log);
    at.agent.uninstall();
    at.forgetCluster();
  }

  /** State that another agent left is used, and stays. */
  @Test
  @Order(11)
  void stateOfAnotherAgentIsTakenOver() throws Exception {
    if (database == null) {
      at.hub.install();
    }
    at.kubectl.run(
        "create",
        "configmap",
        "pipeops-agent-state",
        "-n",
        NAMESPACE,
        "--from-literal=agent_id=agent-0123456789abcdef");
    at.agent.with("replicas", 1).install();
    at.agent.test();
    assertEquals("agent-0123456789abcdef", at.agentId());
    at.agent.upgrade();
    assertEquals("agent-0123456789abcdef", at.agentId());
    at.agent.uninstall();
    assertEquals("agent-0123456789abcdef", at.agentId());
  }

  @Test
  @Order(12)
  void plainManifestsDoTheSame() throws Exception {
    seedFaults();
    Map<String, Object> values = Deployed.atTheHub();
    values.put("fullnameOverride", AGENT);
    String yaml = PlainManifests.of(Chart.AGENT, "", values).replace("pipeops-system", NAMESPACE);
    at.kubectl.withInput(yaml, "apply", "-f", "-");
    at.kubectl.run("rollout", "status", "deployment/" + AGENT, "-n", NAMESPACE, "--timeout=110s");
    Await.until(
        "the cluster is at the hub",
        SOON,
        () -> at.api(at.pod(), "/ready").contains("\"registered\":true"));
    assertTrue(at.connect().run("get", "nodes").contains("Ready"));
  }

  /** They take a minute to be seen, in which others are tested. */
  private static void seedFaults() throws Exception {
    at.faulty("no-image", Map.of("image.registry", "registry.invalid"));
    at.faulty("no-secret", Map.of("controlPlane.existingSecret.name", "not-there"));
    // Each failed probe is an event, and the kubelet lets 25 of a pod through at once.
    at.faulty(
        "no-disk",
        Map.of(
            "workVolume.size",
            "1Ki",
            "controlPlane.url",
            "https://hub.invalid:8443",
            "readinessProbe.periodSeconds",
            30));
  }

  /** Faults of what surrounds the pod, all at once. */
  @Test
  @Order(13)
  void faultsAreSeenAsThePageSays() throws Exception {
    at.faulty("no-rights", Map.of("rbac.create", false));
    at.awaitSeen("no-rights", FaultSigns.row(5, "Heartbeats lack some of the cluster's figures"));
    at.awaitSeen("no-rights", FaultSigns.row(5, "answers 403"));
    at.awaitSeen("no-rights", FaultSigns.row(12, "Leading without an election"));
    at.awaitSeen("no-rights", "Link is up");
    at.awaitSeen("no-rights", " 1/1 ");
    at.awaitSeen("no-image", FaultSigns.row(1, "ErrImagePull"));
    at.awaitSeen("no-image", FaultSigns.row(1, "ImagePullBackOff"));
    at.awaitSeen("no-secret", FaultSigns.row(2, "ContainerCreating"));
    at.awaitSeen("no-secret", FaultSigns.row(2, "FailedMount"));
    at.awaitSeen("no-secret", FaultSigns.row(2, "MountVolume.SetUp failed for volume \"token\""));
    at.awaitSeen("no-disk", FaultSigns.row(10, "Evicted"));
  }
}
