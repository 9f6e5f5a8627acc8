package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client library that the agent itself uses, with the kubeconfig that is written for it. */
class Fabric8ClientTest {
  @TempDir Path folder;
  private SandboxServer server;
  private KubernetesClient client;

  @BeforeEach
  void start() throws Exception {
    Path kubeconfig = folder.resolve("kubeconfig");
    server = new SandboxServer(kubeconfig, 0, true);
    assertTrue(server.awaitUp(Duration.ofSeconds(60)));
    assertEquals(
        Set.of("OWNER_READ", "OWNER_WRITE"),
        Set.copyOf(Files.getPosixFilePermissions(kubeconfig).stream().map(Enum::name).toList()));
    client =
        new KubernetesClientBuilder()
            .withHttpClientFactory(new JdkHttpClientFactory())
            .withConfig(Config.fromKubeconfig(Files.readString(kubeconfig)))
            .build();
  }

  @AfterEach
  void stop() {
    client.close();
    server.stop();
    assertTrue(Files.notExists(folder.resolve("kubeconfig")));
  }

  private static ConfigMap map(String value) {
    return new ConfigMapBuilder()
        .withNewMetadata()
        .withName("m")
        .withNamespace("f")
        .endMetadata()
        .addToData("k", value)
        .build();
  }

  @Test
  void worksAsWithAnyCluster() throws Exception {
    assertEquals("34", client.getKubernetesVersion().getMinor());
    client
        .namespaces()
        .resource(new NamespaceBuilder().withNewMetadata().withName("f").endMetadata().build())
        .create();
    CountDownLatch seen = new CountDownLatch(2);
    SharedIndexInformer<ConfigMap> informer =
        client
            .configMaps()
            .inNamespace("f")
            .inform(
                new ResourceEventHandler<>() {
                  @Override
                  public void onAdd(ConfigMap map) {
                    if (map.getMetadata().getName().equals("m")) {
                      seen.countDown();
                    }
                  }

                  @Override
                  public void onUpdate(ConfigMap before, ConfigMap after) {
                    if ("3".equals(after.getData().get("k"))) {
                      seen.countDown();
                    }
                  }

                  @Override
                  public void onDelete(ConfigMap map, boolean unknown) {}
                });
    client.resource(map("1")).create();
    client.resource(map("2")).forceConflicts().serverSideApply();
    client.resource(map("2")).edit(m -> new ConfigMapBuilder(m).addToData("k", "3").build());
    assertTrue(seen.await(20, TimeUnit.SECONDS));
    informer.stop();
    assertEquals(
        409,
        assertThrows(KubernetesClientException.class, () -> client.resource(map("1")).create())
            .getCode());
    client.apps().deployments().inNamespace("demo").withName("web").scale(3);
    client
        .apps()
        .deployments()
        .inNamespace("demo")
        .withName("web")
        .waitUntilCondition(
            d -> d != null && Integer.valueOf(3).equals(d.getStatus().getReadyReplicas()),
            20,
            TimeUnit.SECONDS);
    String pod =
        client.pods().inNamespace("demo").list().getItems().getFirst().getMetadata().getName();
    assertTrue(client.pods().inNamespace("demo").withName(pod).getLog().contains("line=1 "));
    assertNotNull(client.top().nodes().metrics("sandbox-node").getUsage().get("cpu"));
    assertTrue(
        client.getKubernetesSerialization() != null
            && client.resources(ConfigMap.class).inNamespace("f").withName("m").delete().size()
                == 1);
    assertTrue(server.execute().isOk());
  }
}
