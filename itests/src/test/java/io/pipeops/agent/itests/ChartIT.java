package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.marcnuri.helm.LintResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The charts, rendered: what they say, what they refuse, and that a real API server takes it. */
class ChartIT {
  private static final List<Chart> CHARTS = List.of(Chart.AGENT, Chart.HUB);
  private static final String CONFIG_HASH = "checksum/restart-settings";

  @TempDir static Path dir;

  @Test
  void schemasAreCurrent() throws Exception {
    for (Chart chart : CHARTS) {
      String expected = ChartSchema.of(chart);
      Path made = Path.of("target", chart.name() + ".values.schema.json").toAbsolutePath();
      Files.writeString(made, expected);
      Path kept = chart.folder().resolve("values.schema.json");
      assertEquals(
          expected,
          Files.exists(kept) ? Files.readString(kept) : "",
          kept + " is out of date; copy " + made + " over it");
    }
  }

  @Test
  void lintFindsNothing() {
    for (Chart chart : CHARTS) {
      LintResult result = chart.helm().lint().strict().call();
      List<String> wrong =
          result.getMessages().stream().filter(m -> !m.startsWith("[INFO]")).toList();
      assertEquals(List.of(), wrong, chart.name());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"minimal", "production", "monitoring"})
  void presets(String preset) {
    List<Map<String, Object>> objects = Chart.AGENT.objects(Map.of(), Chart.AGENT.preset(preset));
    Map<String, Object> deployment = Chart.one(objects, "Deployment", "pipeops-agent");
    Object limits = Chart.at(deployment, container("resources", "limits"));
    Object volume = Chart.at(deployment, pod("volumes", 2, "emptyDir", "sizeLimit"));
    int replicas = preset.equals("production") ? 2 : 1;
    assertEquals(replicas, Chart.at(deployment, "spec", "replicas"));
    assertEquals(replicas - 1, Chart.all(objects, "PodDisruptionBudget", "").size());
    String profile = preset.equals("minimal") ? "small" : "standard";
    assertEquals(
        "@/opt/pipeops-agent/conf/container-agent-" + profile + ".args",
        Chart.at(deployment, container("command", 1)));
    assertEquals(
        Map.of(
                "minimal", "{cpu=100m, memory=128Mi} 500Mi",
                "production", "{cpu=250m, memory=256Mi} 1Gi",
                "monitoring", "{cpu=500m, memory=512Mi} 2Gi")
            .get(preset),
        limits + " " + volume);
  }

  /** Every boolean of values.yaml changes what is rendered, and can say false. */
  @Test
  void everyBooleanBothWays() throws Exception {
    Map<String, Map<String, Object>> needed =
        Map.of(
            "podDisruptionBudget.enabled", Map.of("replicas", 2),
            "rbac.secrets", Map.of(),
            "workVolume.claim", Map.of(),
            "persistence.keep", Map.of("persistence.enabled", true),
            "ingress.enabled", Map.of("ingress.host", "hub.example.com"));
    for (Chart chart : CHARTS) {
      Map<String, Boolean> booleans = new TreeMap<>();
      collect(
          Chart.parse(Files.readString(chart.folder().resolve("values.yaml"))).get(0),
          "",
          booleans);
      assertTrue(booleans.size() > 5, booleans.toString());
      // What these two do shows only beside a cluster.
      booleans.keySet().removeAll(List.of("lookup", "tests.enabled"));
      List<String> dead = new ArrayList<>();
      for (String key : booleans.keySet()) {
        List<String> rendered = new ArrayList<>();
        for (boolean value : new boolean[] {true, false}) {
          Map<String, Object> values = new LinkedHashMap<>(needed.getOrDefault(key, Map.of()));
          values.put(key, value);
          rendered.add(chart.render(values));
        }
        if (rendered.get(0).equals(rendered.get(1))) {
          dead.add(chart.name() + " " + key);
        }
      }
      assertEquals(List.of(), dead, "values without effect");
    }
  }

  private static void collect(Map<?, ?> from, String path, Map<String, Boolean> into) {
    from.forEach(
        (key, value) -> {
          String here = path.isEmpty() ? key.toString() : path + "." + key;
          if (value instanceof Map<?, ?> map) {
            collect(map, here, into);
          } else if (value instanceof Boolean flag) {
            into.put(here, flag);
          }
        });
  }

  @Test
  void wrongValuesAreRefusedInWords() {
    Map<String, String> wrong = new LinkedHashMap<>();
    wrong.put("rbac.profile=admin", "rbac");
    wrong.put("replicas=0", "replicas");
    wrong.put("replicaCount=2", "replicaCount");
    wrong.put("controlPlane.url=hub.example.com", "controlPlane");
    wrong.put("image.digest=latest", "digest");
    wrong.put("settings.tunnel.drain_secs=5", "drain_secs");
    wrong.put("settings.tunnel.drain_seconds=soon", "drain_seconds");
    wrong.put("settings.heartbeat.connected_seconds=1", "connected_seconds");
    wrong.put("features.heartbeet.enabled=false", "heartbeet");
    wrong.put("features.heartbeat.enabled=maybe", "heartbeat");
    wrong.put("settings.link.token=abc", "would put the token into a ConfigMap");
    wrong.put("serviceMonitor.enabled=true service.enabled=false", "service.enabled");
    wrong.forEach(
        (set, expected) -> {
          Map<String, Object> values = new LinkedHashMap<>();
          for (String one : set.split(" ")) {
            values.put(one.split("=")[0], one.split("=")[1]);
          }
          Exception refused = assertThrows(Exception.class, () -> Chart.AGENT.render(values), set);
          assertTrue(refused.getMessage().contains(expected), set + ": " + refused.getMessage());
        });
  }

  @Test
  void whatIsMissingIsSaidInWords() {
    Map<String, String> expected =
        Map.of(
            "controlPlane.url", "address of the control plane",
            "controlPlane.clusterName", "name under which this cluster registers",
            "controlPlane.existingSecret.name", "Secret that holds it");
    expected.forEach(
        (key, words) -> {
          Exception refused =
              assertThrows(Exception.class, () -> Chart.AGENT.render(Map.of(key, "")), key);
          assertTrue(refused.getMessage().contains(words), refused.getMessage());
        });
  }

  @Test
  void tokenIsOnlyInASecret() {
    List<Map<String, Object>> objects =
        Chart.AGENT.objects(
            Map.of("controlPlane.token", "s3cret-token", "controlPlane.existingSecret.name", ""));
    for (Map<String, Object> object : objects) {
      assertFalse(object.toString().contains("s3cret-token"), object.toString());
    }
    assertEquals(
        "czNjcmV0LXRva2Vu", Chart.at(Chart.one(objects, "Secret", "-token"), "data", "token"));
  }

  @Test
  void valuesOfTheExistingChartAreUnderstood() {
    String rendered =
        Chart.AGENT.renderBare(
            "pipeops-agent",
            Map.of(
                "agent.cluster.name", "old",
                "agent.pipeops.apiUrl", "https://api.example.com",
                "agent.pipeops.token", "t"));
    assertTrue(rendered.contains("cluster_name: old"), rendered);
    assertTrue(rendered.contains("url: https://api.example.com"), rendered);
  }

  @Test
  void onlySettingsThatNeedARestartRollThePod() {
    Object before = podTemplate(Map.of());
    for (String live :
        List.of(
            "features.heartbeat.enabled=false",
            "settings.tunnel.drain_seconds=3",
            "settings.link.standby_seconds=7",
            "settings.logging.level=debug")) {
      String[] pair = live.split("=");
      assertEquals(before, podTemplate(Map.of(pair[0], value(pair[1]))), live);
    }
    for (String restart :
        List.of(
            "settings.http.port=8181",
            "settings.provision.drain_seconds=5",
            "state.secretName=other")) {
      String[] pair = restart.split("=");
      assertNotEquals(before, podTemplate(Map.of(pair[0], value(pair[1]))), restart);
    }
    assertTrue(before.toString().contains(CONFIG_HASH));
  }

  private static Object value(String text) {
    return text.matches("[0-9]+")
        ? Integer.valueOf(text)
        : text.matches("true|false") ? Boolean.valueOf(text) : text;
  }

  private static Object podTemplate(Map<String, Object> values) {
    return Chart.at(
        Chart.one(Chart.AGENT.objects(values), "Deployment", "pipeops-agent"), "spec", "template");
  }

  @Test
  void roleShrinksWithItsFeature() {
    List<String> all = rules(Map.of());
    List<String> quiet = rules(Map.of("features.heartbeat.enabled", false));
    List<String> closed = rules(Map.of("features.tunnel.enabled", false));
    List<String> view = rules(Map.of("rbac.profile", "read-only"));
    assertTrue(all.contains("/pods/exec create"));
    assertFalse(all.stream().anyMatch(r -> r.startsWith("/secrets ")), all.toString());
    assertTrue(all.contains("metrics.k8s.io/nodes list"));
    assertFalse(quiet.contains("metrics.k8s.io/nodes list"));
    assertEquals(
        new TreeSet<>(
            List.of("/namespaces get", "/nodes list", "/pods list", "metrics.k8s.io/nodes list")),
        new TreeSet<>(closed));
    for (String rule : view) {
      assertTrue(rule.matches(".* (get|list|watch)"), rule);
    }
    assertTrue(rules(Map.of("rbac.secrets", true)).contains("/secrets delete"));
    assertTrue(rules(Map.of("rbac.profile", "full")).contains("*/* *"));
    for (List<String> profile : List.of(all, view)) {
      assertFalse(profile.stream().anyMatch(r -> r.matches(".* (escalate|bind|impersonate|\\*)")));
    }
  }

  @SuppressWarnings("unchecked")
  private static List<String> rules(Map<String, Object> values) {
    List<String> flat = new ArrayList<>();
    Map<String, Object> role =
        Chart.one(Chart.AGENT.objects(values), "ClusterRole", "pipeops-agent");
    for (Object rule : (List<Object>) role.get("rules")) {
      Map<String, List<String>> fields = (Map<String, List<String>>) rule;
      for (String group : fields.getOrDefault("apiGroups", List.of())) {
        for (String resource : fields.getOrDefault("resources", List.of())) {
          fields.get("verbs").forEach(verb -> flat.add(group + "/" + resource + " " + verb));
        }
      }
    }
    return flat;
  }

  @Test
  void imagesCanComeFromAnotherRegistryAndByDigest() {
    String digest = "sha256:" + "0123456789abcdef".repeat(4);
    for (Chart chart : CHARTS) {
      String rendered =
          chart.render(Map.of("global.imageRegistry", "mirror.local:5000", "image.digest", digest));
      assertFalse(rendered.contains("ghcr.io"), rendered);
      assertTrue(
          rendered.contains("image: mirror.local:5000/pipeopshq/" + chart.name() + "@" + digest));
    }
  }

  @Test
  void podsMeetTheRestrictedLevel() {
    for (Chart chart : CHARTS) {
      for (Map<String, Object> object : chart.objects(Map.of())) {
        Object spec =
            "Pod".equals(object.get("kind"))
                ? object.get("spec")
                : Chart.at(object, "spec", "template", "spec");
        if (spec != null) {
          assertEquals(true, Chart.at(spec, "securityContext", "runAsNonRoot"));
          assertEquals(
              "RuntimeDefault", Chart.at(spec, "securityContext", "seccompProfile", "type"));
          Object container = Chart.at(spec, "containers", 0, "securityContext");
          assertEquals(List.of("ALL"), Chart.at(container, "capabilities", "drop"));
          assertEquals(true, Chart.at(container, "readOnlyRootFilesystem"));
          assertEquals(false, Chart.at(container, "allowPrivilegeEscalation"));
          assertNull(Chart.at(spec, "hostNetwork"));
        }
      }
    }
  }

  /** Beyond what the agent takes, it would answer 400 and never be ready. */
  @Test
  void theReadinessProbeWaitsForLessThanItsTimeoutAndNoLongerThanTheAgentTakes() throws Exception {
    Map.of(1, "0", 2, "1", 10, "9", 61, "60", 300, "60")
        .forEach(
            (timeout, wait) -> {
              var objects = Chart.AGENT.objects(Map.of("readinessProbe.timeoutSeconds", timeout));
              Object container =
                  Chart.at(
                      Chart.one(objects, "Deployment", ""),
                      "spec",
                      "template",
                      "spec",
                      "containers",
                      0);
              assertEquals(
                  "/ready?wait=" + wait, Chart.at(container, "readinessProbe", "httpGet", "path"));
            });
  }

  @Test
  void plainManifestsAreCurrent() throws Exception {
    for (Chart chart : CHARTS) {
      String made = PlainManifests.of(chart);
      Path target = Path.of("target", chart.name() + ".yaml").toAbsolutePath();
      Files.writeString(target, made);
      Path kept = Path.of("..", "installer", "manifests", chart.name() + ".yaml");
      assertEquals(
          made,
          Files.exists(kept) ? Files.readString(kept) : "",
          kept + " is out of date; copy " + target + " over it");
    }
  }

  @Test
  void scenariosRender() throws Exception {
    try (var files = Files.list(Path.of("..", "docs", "scenarios"))) {
      List<Path> scenarios = files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList();
      assertTrue(scenarios.size() >= 6, scenarios.toString());
      for (Path scenario : scenarios) {
        Chart chart = scenario.getFileName().toString().startsWith("hub") ? Chart.HUB : Chart.AGENT;
        assertFalse(chart.renderBare("r", Map.of(), scenario).isBlank(), scenario.toString());
      }
    }
  }

  @Test
  void apiServerTakesEveryObject() throws Exception {
    String cluster = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        cluster != null && Kubectl.available(),
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig and KUBECTL to the program");
    Kubectl kubectl = new Kubectl(dir, Path.of(cluster));
    List<String> all = new ArrayList<>();
    for (String preset : List.of("minimal", "production", "monitoring")) {
      all.add(
          Chart.AGENT.render(
              Map.of(
                  "networkPolicy.enabled",
                  true,
                  "controlPlane.ca.pem",
                  "x",
                  "workVolume.claim",
                  true),
              Chart.AGENT.preset(preset)));
    }
    all.add(
        Chart.HUB.render(
            Map.of(
                "networkPolicy.enabled", true,
                "ingress.enabled", true,
                "ingress.host", "hub.example.com",
                "database.url", "jdbc:postgresql://db/hub",
                "database.existingSecret", "db")));
    kubectl.result("", "create", "namespace", "pipeops-system");
    for (String yaml : all) {
      kubectl.withInput(yaml, "apply", "--dry-run=server", "--validate=strict", "-f", "-");
    }
    for (Chart chart : CHARTS) {
      kubectl.withInput(
          PlainManifests.of(chart), "apply", "--dry-run=server", "--validate=strict", "-f", "-");
    }
  }

  private static Object[] pod(Object... way) {
    return concat(new Object[] {"spec", "template", "spec"}, way);
  }

  private static Object[] container(Object... way) {
    return concat(pod("containers", 0), way);
  }

  private static Object[] concat(Object[] a, Object[] b) {
    Object[] all = java.util.Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }
}
