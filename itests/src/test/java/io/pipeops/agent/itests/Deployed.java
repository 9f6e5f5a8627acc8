package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A hub and an agent that charts have installed into one namespace, and the way to both. */
final class Deployed implements AutoCloseable {
  static final String NAMESPACE = "itest-deploy";
  static final String AGENT = "agent-pipeops-agent";
  static final String HUB = "hub-pipeops-hub";

  /** A password that nobody has. */
  static final String WRONG = "wrong-a1b2c3";

  static final Duration SOON = Duration.ofSeconds(120);

  private static final String PODS =
      "app.kubernetes.io/component=agent,app.kubernetes.io/instance=agent";
  private static final ObjectMapper JSON = new ObjectMapper();

  final Kubectl kubectl;
  final Release hub;
  final Release agent;

  private final Path dir;
  private Process forward;
  private Path kubeconfig;
  private Path ca;
  private HubCalls calls;
  private String id;

  private Deployed(Path dir, Path config) throws IOException {
    this.dir = dir;
    this.kubectl = new Kubectl(Files.createDirectory(dir.resolve("k")), config);
    this.hub =
        new Release(Chart.HUB, "hub", NAMESPACE, config)
            .with("persistence.enabled", false)
            .with("resources.requests.cpu", "50m");
    this.agent =
        new Release(Chart.AGENT, "agent", NAMESPACE, config)
            .with("controlPlane.hubRelease", "hub")
            .with("controlPlane.clusterName", "itest-deploy");
  }

  /** The images are on the node and the namespace is there, of the restricted level, and empty. */
  static Deployed prepared(Path dir) throws Exception {
    String cluster = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        cluster != null && Kubectl.available() && System.getenv("TEST_IMAGE_LOAD") != null,
        "skipped: no cluster with a node; set TEST_KUBECONFIG, KUBECTL, and TEST_IMAGE_LOAD to a"
            + " command that takes image archives");
    Deployed made = new Deployed(dir, Path.of(cluster));
    loadImages();
    made.removeAll("--wait=true");
    made.kubectl.run("create", "namespace", NAMESPACE);
    made.kubectl.run(
        "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted");
    return made;
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

  /** A hub on this database, as yet with the wrong password; nobody waits for it. */
  void hubOn(HubDatabase database) throws Exception {
    secret("hub-database", Map.of("username", HubDatabase.USER, "password", WRONG));
    byte[] key = new byte[32];
    new SecureRandom().nextBytes(key);
    secret("hub-key", Map.of("key", Base64.getEncoder().encodeToString(key)));
    hub.with("database.url", database.url())
        .with("database.existingSecret", "hub-database")
        .with("secretKeySecret", "hub-key")
        .start();
  }

  /** A new pod in place of the hub's, which is Ready at the end. */
  void restartHub() throws Exception {
    String selector = "app.kubernetes.io/component=hub,app.kubernetes.io/instance=hub";
    kubectl.run("delete", "pod", "-n", NAMESPACE, "-l", selector, "--wait=true");
    kubectl.run("rollout", "status", "deployment/" + HUB, "-n", NAMESPACE, "--timeout=110s");
  }

  void secret(String name, Map<String, String> values) throws Exception {
    List<String> line = new ArrayList<>(List.of("create", "secret", "generic", name));
    values.forEach((key, value) -> line.add("--from-literal=" + key + "=" + value));
    line.addAll(List.of("--dry-run=client", "-o", "yaml"));
    kubectl.withInput(
        kubectl.run(line.toArray(String[]::new)), "apply", "-n", NAMESPACE, "-f", "-");
  }

  /** The id of the hub's one cluster, whose agent is there. */
  String cluster() throws Exception {
    connect();
    Await.until(
        "the agent is at the hub",
        SOON,
        () ->
            JSON.readTree(calls.call("GET", "/api/v1/clusters/" + id, null))
                .path("connected")
                .asBoolean());
    return id;
  }

  /** The hub forgets its one cluster. */
  void forgetCluster() throws Exception {
    calls.call("DELETE", "/api/v1/clusters/" + id, null);
  }

  /** A kubectl by a kubeconfig from the hub, which is reached by a port on this machine. */
  Kubectl connect() throws Exception {
    if (forward != null) {
      forward.destroy();
    }
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
    ca = Files.writeString(dir.resolve("ca.crt"), secret("hub-pipeops-hub-tls", "ca\\.crt"));
    calls =
        new HubCalls(
            "https://127.0.0.1:" + port, ca, secret("hub-pipeops-hub-admin-token", "token"));
    JsonNode clusters = JSON.readTree(calls.call("GET", "/api/v1/clusters", null));
    assertEquals(1, clusters.path("items").size(), clusters.toString());
    id = clusters.path("items").path(0).path("id").asText();
    String text = calls.call("POST", "/api/v1/clusters/" + id + "/kubeconfig", "{}");
    kubeconfig = Files.writeString(dir.resolve("through.kubeconfig"), text);
    return new Kubectl(Files.createDirectories(dir.resolve("t")), kubeconfig);
  }

  /** Requests through hub and agent, after {@link #connect}. */
  Load load(int perSecond) throws Exception {
    return Load.start(kubeconfig, ca, perSecond);
  }

  private String secret(String name, String key) throws Exception {
    String encoded =
        kubectl.run("get", "secret", name, "-n", NAMESPACE, "-o", "jsonpath={.data." + key + "}");
    return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
  }

  boolean running(String pod, String feature) throws Exception {
    for (JsonNode one : JSON.readTree(api(pod, "/api/features")).path("features")) {
      if (one.path("name").asText().equals(feature)) {
        return one.path("state").asText().equals("ACTIVE");
      }
    }
    return false;
  }

  /** What a pod's own HTTP port says. */
  String api(String pod, String path) throws Exception {
    return kubectl.run(
        "get", "--raw", "/api/v1/namespaces/" + NAMESPACE + "/pods/" + pod + ":8080/proxy" + path);
  }

  /** The agent's pods that run and are not told to end. */
  List<String> pods() throws Exception {
    return kubectl
        .run(
            "get",
            "pods",
            "-n",
            NAMESPACE,
            "-l",
            PODS,
            "--field-selector=status.phase=Running",
            "-o",
            "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}"
                + "\n{{end}}{{end}}")
        .lines()
        .filter(line -> !line.isBlank())
        .toList();
  }

  String pod() throws Exception {
    return pods().get(0);
  }

  /** Everything of the agent is on the node no more, but for so many pods. */
  void awaitPods(int count) {
    Await.until(
        count + " pods",
        SOON,
        () ->
            count
                == kubectl
                    .run("get", "pods", "-n", NAMESPACE, "-l", PODS, "-o", "name")
                    .lines()
                    .filter(line -> !line.isBlank())
                    .count());
  }

  void ready() throws Exception {
    kubectl.run("rollout", "status", "deployment/" + AGENT, "-n", NAMESPACE, "--timeout=110s");
    agent.test();
  }

  String agentId() {
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

  /** The pod that leads. */
  String holder() throws Exception {
    return kubectl.run(
        "get", "lease", AGENT, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}");
  }

  /** Values of an agent that is not told the hub's release. */
  static Map<String, Object> atTheHub() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("controlPlane.url", "https://hub-pipeops-hub." + NAMESPACE + ".svc:8443");
    values.put("controlPlane.clusterName", "itest-plain");
    values.put("controlPlane.existingSecret.name", "hub-pipeops-hub-agent-token");
    values.put("controlPlane.ca.existingSecret", "hub-pipeops-hub-tls");
    return values;
  }

  /** One more release beside the others, with a value that is wrong; nobody waits for it. */
  void faulty(String release, Map<String, Object> wrong) throws Exception {
    Map<String, Object> values = atTheHub();
    values.putAll(wrong);
    values.put("tests.enabled", false);
    values.put("resources.limits.cpu", "1");
    values.put("settings.heartbeat.connected_seconds", 5);
    kubectl.withInput(
        Chart.AGENT.renderBare(release, values).replace("pipeops-system", NAMESPACE),
        "apply",
        "-f",
        "-");
  }

  /** Waits until an operator who looks at a release's pods, events and logs finds these words. */
  void awaitSeen(String release, String words) {
    String selector = "app.kubernetes.io/instance=" + release;
    Await.until(
        words + " of " + release,
        SOON,
        () ->
            kubectl.run("get", "pods", "-n", NAMESPACE, "-l", selector).contains(words)
                || kubectl
                    .run("get", "events", "-n", NAMESPACE)
                    .lines()
                    .anyMatch(line -> line.contains("/" + release) && line.contains(words))
                || kubectl
                    .result("", "logs", "-n", NAMESPACE, "-l", selector, "--tail=-1")
                    .out()
                    .contains(words));
  }

  /** All that there is in the namespace, and what of the cluster has our name. */
  List<String> objects() throws Exception {
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
    found.addAll(clusterObjects());
    return found;
  }

  @Override
  public void close() throws Exception {
    if (forward != null) {
      forward.destroy();
    }
    removeAll("--wait=false");
  }

  /** The namespace, and what manifests have left outside of it, which Helm does not know. */
  private void removeAll(String wait) throws Exception {
    kubectl.result("", "delete", "namespace", NAMESPACE, "--ignore-not-found", wait);
    for (String name : clusterObjects()) {
      kubectl.result("", "delete", name, "--ignore-not-found");
    }
  }

  private List<String> clusterObjects() throws Exception {
    return kubectl
        .run("get", "clusterroles,clusterrolebindings", "-o", "name")
        .lines()
        .filter(line -> line.contains(NAMESPACE))
        .toList();
  }
}
