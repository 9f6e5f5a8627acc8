package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What two releases in one namespace call what they have: nothing is shared by accident. */
class ReleaseNamesIT {
  private static final String NAMESPACE = "itest-names";
  private static final Map<String, Object> REQUIRED =
      Map.of(
          "controlPlane.url", "https://hub.example.com",
          "controlPlane.clusterName", "edge",
          "controlPlane.existingSecret.name", "pipeops-agent-token");

  @TempDir static Path dir;

  /** Two releases are replicas of one agent only if both say so. */
  @Test
  void eachReleaseHasALeaseOfItsOwn() {
    for (String release : List.of("agent", "second", "pipeops-agent")) {
      String own = release.equals("pipeops-agent") ? release : release + "-pipeops-agent";
      assertEquals(own, lease(Chart.parse(Chart.AGENT.renderBare(release, REQUIRED))));
      Map<String, Object> told = new LinkedHashMap<>(REQUIRED);
      told.put("settings.leader.lease_name", "both");
      assertEquals("both", lease(Chart.parse(Chart.AGENT.renderBare(release, told))));
    }
  }

  /** The one Lease that the agent uses, may use, and that goes with the release. */
  private static String lease(List<Map<String, Object>> objects) {
    Object settings = Chart.at(Chart.one(objects, "ConfigMap", "-agent"), "data", "config.yaml");
    String name = settings.toString().replaceAll("(?s).*\n  lease_name: (\\S+)\n.*", "$1");
    assertEquals(
        List.of(name), Chart.at(Chart.one(objects, "Role", ""), "rules", 2, "resourceNames"));
    assertEquals(name, Chart.at(Chart.one(objects, "Lease", ""), "metadata", "name"));
    return name;
  }

  /** By what the chart finds on the cluster; nothing is installed. */
  @Test
  void releasesKeepTheirNamesAndLeaveThoseOfOthers() throws Exception {
    String cluster = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        cluster != null && Kubectl.available() && System.getenv("HELM") != null,
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig, KUBECTL and HELM to the"
            + " programs");
    Kubectl kubectl = new Kubectl(dir, Path.of(cluster));
    kubectl.result("", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true");
    kubectl.run("create", "namespace", NAMESPACE);
    try {
      // As a release left them whose chart had one Lease for all.
      kubectl.withInput(
          """
          apiVersion: v1
          kind: ConfigMap
          metadata:
            name: first-pipeops-agent
            labels: {app.kubernetes.io/managed-by: Helm}
            annotations: {meta.helm.sh/release-name: first, meta.helm.sh/release-namespace: itest-names}
          data:
            config.yaml: |
              kubernetes: {state_configmap_name: pipeops-agent-state, state_secret_name: pipeops-agent-secrets}
              leader: {replicas: 1}
          ---
          apiVersion: v1
          kind: ConfigMap
          metadata:
            name: pipeops-agent-state
            labels: {app.kubernetes.io/managed-by: Helm}
            annotations: {meta.helm.sh/release-name: first, meta.helm.sh/release-namespace: itest-names}
          """,
          "apply",
          "-n",
          NAMESPACE,
          "-f",
          "-");
      String before = installed("first");
      assertTrue(before.contains("lease_name: pipeops-agent\n"), before);
      assertTrue(before.contains("state_configmap_name: pipeops-agent-state\n"), before);
      String beside = installed("second");
      assertTrue(beside.contains("lease_name: second-pipeops-agent\n"), beside);
      assertTrue(beside.contains("state_configmap_name: second-pipeops-agent-state\n"), beside);
      assertTrue(beside.contains("\"ConfigMap/second-pipeops-agent-state,Lease/second"), beside);
    } finally {
      kubectl.result("", "delete", "namespace", NAMESPACE, "--wait=false");
    }
  }

  /** What an install would make, with what the chart finds on the cluster. */
  private static String installed(String release) throws Exception {
    List<String> line = new ArrayList<>(List.of(System.getenv("HELM").trim().split("\\s+")));
    line.addAll(
        List.of(
            "install",
            release,
            Chart.AGENT.folder().toString(),
            "--namespace",
            NAMESPACE,
            "--dry-run=server",
            "--kubeconfig",
            System.getenv("TEST_KUBECONFIG")));
    REQUIRED.forEach((key, value) -> line.addAll(List.of("--set", key + "=" + value)));
    Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }
}
