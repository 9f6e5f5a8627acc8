package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.pipeops.agent.api.kubernetes.ApiCalls;
import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.kubernetes.PersistedState;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClusterAccessTest {
  @TempDir Path folder;

  @Test
  void publishesServerAndCallsAndTakesThemBack() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster =
            new Cluster(
                folder,
                server.base(),
                Map.of("namespace", "mine", "cluster_domain", "example.test"))) {
      assertTrue(cluster.context.has(ApiServer.class));
      assertTrue(cluster.context.has(ApiCalls.class));
      ApiServer found = cluster.access.server().orElseThrow();
      assertEquals(server.base(), found.base().toString());
      assertEquals("mine", found.namespace());
      assertEquals("example.test", found.clusterDomain());
      assertEquals("first-token", found.token().orElseThrow());
      assertEquals("", cluster.access.problem());
      cluster.access.close();
      assertFalse(cluster.context.has(ApiServer.class));
      assertFalse(cluster.context.has(ApiCalls.class));
    }
  }

  @Test
  void findsTheFilesOfAPod() throws Exception {
    Path pod = Files.createDirectory(folder.resolve("pod"));
    Certificates ca = Certificates.make(folder, "ca", "EC");
    Files.writeString(pod.resolve("token"), "pod-token");
    Files.writeString(pod.resolve("namespace"), "agents");
    Files.writeString(pod.resolve("ca.crt"), ca.certificatePem());
    Fakes.Context context = new Fakes.Context();
    ClusterAccess access =
        new ClusterAccess(
            context.context,
            Fakes.config(Map.of()),
            new Fakes.NoMetrics(),
            pod,
            Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1"));
    LocatedApiServer server = access.server().orElseThrow();
    assertEquals("agents", server.namespace());
    assertTrue(server.mountedToken());
    assertEquals(ca.certificatePem().trim(), server.caPem());
    access.close();
  }

  @Test
  void saysWhyAKubeconfigCannotBeUsed() throws Exception {
    try (Cluster cluster = new Cluster(folder, "x", Map.of("kubeconfig", "/does/not/exist"))) {
      assertTrue(cluster.access.problem().contains("/does/not/exist"));
      assertFalse(cluster.context.has(ApiServer.class));
      ClusterReach reach =
          new ClusterReach(cluster.context.context, cluster.access, new Fakes.NoMetrics());
      assertTrue(reach.execute().toString().contains("/does/not/exist"));
      reach.close();
    }
  }

  @Test
  void aBadCaSettingIsReportedAndNotFatal() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of("ca_cert_data", "%%%"))) {
      assertTrue(
          cluster.access.problem().contains("ca_cert_data is not base64"),
          cluster.access.problem());
      assertEquals(PersistedState.class, cluster.store().load().getClass());
    }
  }

  @Test
  void theTypedClientIsBuiltWhenItIsWantedAndClosedWhenNobodyHoldsIt() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      TypedClient.Shared shared = new TypedClient.Shared(cluster.access.server().orElseThrow());
      KubernetesClient one = (KubernetesClient) shared.getService(null, null);
      assertEquals(one, shared.getService(null, null));
      assertEquals("v1.34.9", one.getKubernetesVersion().getGitVersion());
      assertEquals("Bearer first-token", server.asked.get(0).token());
      cluster.token("second-token");
      Await.until(
          "rotated",
          () -> {
            one.getKubernetesVersion();
            return server.count("GET", "/version") > 0
                && server.asked.get(server.asked.size() - 1).token().equals("Bearer second-token");
          });
      shared.ungetService(null, null, one);
      shared.ungetService(null, null, one);
      KubernetesClient again = (KubernetesClient) shared.getService(null, null);
      assertFalse(one == again);
      shared.ungetService(null, null, again);
    }
  }
}
