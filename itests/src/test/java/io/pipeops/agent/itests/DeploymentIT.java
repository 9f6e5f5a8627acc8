package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
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
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DeploymentIT {
  private static final String NAMESPACE = "itest-deploy";
  private static final String AGENT = "agent-pipeops-agent";
  private static final Duration SOON = Duration.ofSeconds(120);
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path dir;
  static Path config;
  static Kubectl kubectl;
  static Release hub;
  static Release agent;
  static Process forward;
  static Kubectl through;

  @BeforeAll
  static void load() throws Exception {
    String cluster = System.getenv("TEST_KUBECONFIG");
    String loader = System.getenv("TEST_IMAGE_LOAD");
    assumeTrue(
        cluster != null && Kubectl.available() && loader != null,
        "skipped: no cluster with a node; set TEST_KUBECONFIG, KUBECTL, and TEST_IMAGE_LOAD to a"
            + " command that takes image archives");
    config = Path.of(cluster);
    kubectl = new Kubectl(Files.createDirectory(dir.resolve("k")), config);
    loadImages();
    kubectl.result("", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true");
    kubectl.run("create", "namespace", NAMESPACE);
    kubectl.run("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted");
    hub =
        new Release(Chart.HUB, "hub", NAMESPACE, config)
            .with("persistence.enabled", false)
            .with("resources.requests.cpu", "50m");
    agent =
        new Release(Chart.AGENT, "agent", NAMESPACE, config)
            .with("controlPlane.hubRelease", "hub")
            .with("controlPlane.clusterName", "itest-deploy");
  }

  /** Brings the archives of the build to the node. */
  static void loadImages() throws Exception {
    try (Stream<Path> files = Files.list(Path.of("..", "distribution", "oci", "target"))) {
      for (Path archive : files.filter(f -> f.toString().endsWith(".oci.tar")).toList()) {
        List<String> line =
            new ArrayList<>(List.of(System.getenv("TEST_IMAGE_LOAD").trim().split("\\s+")));
        line.add(archive.toString());
        Process process = new ProcessBuilder(line).inheritIO().start();
        assertEquals(0, process.waitFor(), "loading " + archive);
      }
    }
  }

  @AfterAll
  static void remove() throws Exception {
    if (forward != null) {
      forward.destroy();
    }
    if (agent != null) {
      agent.uninstall();
    }
    if (hub != null) {
      hub.uninstall();
    }
    if (kubectl != null) {
      kubectl.result("", "delete", "namespace", NAMESPACE, "--wait=false");
    }
  }

  @Test
  @Order(1)
  void twoInstallsAndTheClusterIsReached() throws Exception {
    hub.install();
    long begin = System.nanoTime();
    agent.install();
    System.out.printf(
        "Ready after %.1f s%n", Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1000.0);
    agent.test();
    connect();
    assertTrue(through.run("get", "pods", "-n", NAMESPACE).contains(AGENT));
    assertTrue(through.run("logs", "-n", NAMESPACE, "deployment/" + AGENT).contains("Link is up"));
    String refused = through.result("", "get", "secrets", "-n", NAMESPACE).err();
    assertTrue(refused.contains("forbidden"), refused);
  }

  /** A kubeconfig from the hub, reached by a port on this machine. */
  private static void connect() throws Exception {
    forward = kubectl.start("port-forward", "-n", NAMESPACE, "service/hub-pipeops-hub", ":8443");
    int run = kubectl.last();
    Pattern line = Pattern.compile("Forwarding from 127\\.0\\.0\\.1:(\\d+)");
    String port =
        Await.value(
            "port to the hub",
            SOON,
            () -> {
              Matcher found = line.matcher(kubectl.output(run));
              return found.find() ? found.group(1) : null;
            });
    Path ca = Files.writeString(dir.resolve("ca.crt"), secret("hub-pipeops-hub-tls", "ca\\.crt"));
    HubCalls calls =
        new HubCalls(
            "https://127.0.0.1:" + port, ca, secret("hub-pipeops-hub-admin-token", "token"));
    JsonNode clusters = JSON.readTree(calls.call("GET", "/api/v1/clusters", null));
    assertEquals(1, clusters.path("items").size(), clusters.toString());
    String id = clusters.path("items").path(0).path("id").asText();
    String kubeconfig = calls.call("POST", "/api/v1/clusters/" + id + "/kubeconfig", "{}");
    Path file = Files.writeString(dir.resolve("through.kubeconfig"), kubeconfig);
    through = new Kubectl(Files.createDirectories(dir.resolve("t")), file);
  }

  private static String secret(String name, String key) throws Exception {
    String encoded =
        kubectl.run("get", "secret", name, "-n", NAMESPACE, "-o", "jsonpath={.data." + key + "}");
    return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
  }

  @Test
  @Order(2)
  void nothingWasRefusedAndTheRoleEndsWhereItShould() throws Exception {
    String account = "system:serviceaccount:" + NAMESPACE + ":" + AGENT;
    for (Map.Entry<String, String> can :
        Map.of(
                "list nodes", "yes",
                "create pods/exec", "yes",
                "get secrets", "no",
                "escalate clusterroles", "no",
                "delete nodes", "no")
            .entrySet()) {
      String[] what = can.getKey().split(" ");
      String[] resource = what[1].split("/");
      List<String> line =
          new ArrayList<>(List.of("auth", "can-i", what[0], resource[0], "-A", "--as=" + account));
      if (resource.length > 1) {
        line.add("--subresource=" + resource[1]);
      }
      assertEquals(
          can.getValue(),
          kubectl.result("", line.toArray(String[]::new)).out().strip(),
          can.getKey());
    }
    String log = kubectl.run("logs", "-n", NAMESPACE, "deployment/" + AGENT);
    assertFalse(log.contains("answers 403") || log.contains("forbidden"), log);
  }

  @Test
  @Order(3)
  void featureIsSwitchedWithoutARestart() throws Exception {
    String pod = pod();
    agent.with("features.heartbeat.enabled", false).upgrade();
    Await.until("heartbeat is gone", SOON, () -> !running(pod, "heartbeat"));
    assertEquals(pod, pod());
    agent.with("features.heartbeat.enabled", true).upgrade();
    Await.until("heartbeat is back", SOON, () -> running(pod, "heartbeat"));
    assertEquals(pod, pod());
    assertEquals(
        "0",
        kubectl.run(
            "get",
            "pod",
            pod,
            "-n",
            NAMESPACE,
            "-o",
            "jsonpath={.status.containerStatuses[0].restartCount}"));
  }

  private static boolean running(String pod, String feature) throws Exception {
    for (JsonNode one : JSON.readTree(api(pod, "/api/features")).path("features")) {
      if (one.path("name").asText().equals(feature)) {
        return one.path("state").asText().equals("ACTIVE");
      }
    }
    return false;
  }

  private static String api(String pod, String path) throws Exception {
    return kubectl.run(
        "get", "--raw", "/api/v1/namespaces/" + NAMESPACE + "/pods/" + pod + ":8080/proxy" + path);
  }

  private static String pod() throws Exception {
    return kubectl.run(
        "get",
        "pods",
        "-n",
        NAMESPACE,
        "-l",
        "app.kubernetes.io/component=agent",
        "--field-selector=status.phase=Running",
        "-o",
        "jsonpath={.items[0].metadata.name}");
  }

  @Test
  @Order(4)
  void identityOutlivesPodAndState() throws Exception {
    String before = agentId();
    String first = pod();
    kubectl.run("delete", "pod", first, "-n", NAMESPACE, "--wait=true");
    ready();
    assertNotEquals(first, pod());
    assertEquals(before, agentId());
    kubectl.run(
        "delete", "configmap/pipeops-agent-state", "secret/pipeops-agent-secrets", "-n", NAMESPACE);
    kubectl.run("delete", "pod", pod(), "-n", NAMESPACE, "--wait=true");
    ready();
    assertEquals(before, agentId());
    forward.destroy();
    connect();
    assertTrue(through.run("get", "namespaces").contains(NAMESPACE));
  }

  private static void ready() throws Exception {
    kubectl.run("rollout", "status", "deployment/" + AGENT, "-n", NAMESPACE, "--timeout=110s");
    agent.test();
  }

  private static String agentId() throws Exception {
    return Await.value(
        "agent id",
        SOON,
        () -> {
          String id =
              kubectl.run(
                  "get",
                  "configmap",
                  "pipeops-agent-state",
                  "-n",
                  NAMESPACE,
                  "-o",
                  "jsonpath={.data.agent_id}");
          return id.isBlank() ? null : id;
        });
  }

  @Test
  @Order(5)
  void secondReplicaTakesOver() throws Exception {
    agent.with("replicas", 2).upgrade();
    String leader = holder();
    kubectl.run("delete", "pod", leader, "-n", NAMESPACE, "--grace-period=0", "--force");
    Await.until("another pod leads", SOON, () -> !holder().equals(leader));
    agent.test();
    JsonNode before = JSON.readTree(through.run("version", "-o", "json"));
    assertTrue(before.has("serverVersion"), before.toString());
  }

  private static String holder() throws Exception {
    return kubectl.run(
            "get", "lease", AGENT, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
        .split("_")[0];
  }

  @Test
  @Order(6)
  void uninstallLeavesNothing() throws Exception {
    agent.uninstall();
    Await.until(
        "pods are gone", SOON, () -> objects().stream().noneMatch(o -> o.startsWith("pod/agent")));
    assertEquals(List.of(), objects().stream().filter(o -> !o.contains("hub")).toList());
    hub.uninstall();
    Await.until(
        "pods are gone", SOON, () -> objects().stream().noneMatch(o -> o.startsWith("pod/")));
    assertEquals(List.of(), objects());
  }

  /** State that another agent left is used, and stays. */
  @Test
  @Order(7)
  void stateOfAnotherAgentIsTakenOver() throws Exception {
    hub.install();
    kubectl.run(
        "create",
        "configmap",
        "pipeops-agent-state",
        "-n",
        NAMESPACE,
        "--from-literal=agent_id=agent-0123456789abcdef");
    agent.with("replicas", 1).install();
    agent.test();
    assertEquals("agent-0123456789abcdef", agentId());
    agent.upgrade();
    assertEquals("agent-0123456789abcdef", agentId());
    agent.uninstall();
    assertEquals("agent-0123456789abcdef", agentId());
  }

  /** All that there is in the namespace, and what of the cluster has our name. */
  private static List<String> objects() throws Exception {
    List<String> found = new ArrayList<>();
    String kinds =
        "pods,deployments,replicasets,services,configmaps,secrets,serviceaccounts,leases,roles,rolebindings,networkpolicies,poddisruptionbudgets,persistentvolumeclaims";
    for (String line : kubectl.run("get", kinds, "-n", NAMESPACE, "-o", "name").split("\\R")) {
      if (!line.isBlank()
          && !line.equals("configmap/kube-root-ca.crt")
          && !line.equals("serviceaccount/default")) {
        found.add(line);
      }
    }
    for (String line :
        kubectl.run("get", "clusterroles,clusterrolebindings", "-o", "name").split("\\R")) {
      if (line.contains(NAMESPACE)) {
        found.add(line);
      }
    }
    return found;
  }

  @Test
  @Order(8)
  void plainManifestsDoTheSame() throws Exception {
    String yaml =
        PlainManifests.of(
                Chart.AGENT,
                "",
                Map.of(
                    "fullnameOverride", AGENT,
                    "controlPlane.url", "https://hub-pipeops-hub." + NAMESPACE + ".svc:8443",
                    "controlPlane.clusterName", "itest-plain",
                    "controlPlane.existingSecret.name", "hub-pipeops-hub-agent-token",
                    "controlPlane.ca.existingSecret", "hub-pipeops-hub-tls"))
            .replace("pipeops-system", NAMESPACE);
    kubectl.withInput(yaml, "apply", "-f", "-");
    kubectl.run("rollout", "status", "deployment/" + AGENT, "-n", NAMESPACE, "--timeout=110s");
    if (forward != null) {
      forward.destroy();
    }
    Await.until(
        "the cluster is at the hub",
        SOON,
        () -> api(pod(), "/ready").contains("\"registered\":true"));
    connect();
    assertTrue(through.run("get", "nodes").contains("Ready"));
  }
}
