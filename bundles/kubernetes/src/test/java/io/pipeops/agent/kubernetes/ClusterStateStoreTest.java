package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.kubernetes.FakeApiServer.Fault;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClusterStateStoreTest {
  private static final String MAP =
      "/api/v1/namespaces/pipeops-system/configmaps/pipeops-agent-state";
  private static final String SECRET =
      "/api/v1/namespaces/pipeops-system/secrets/pipeops-agent-secrets";

  @TempDir Path folder;

  private static String data(FakeApiServer server, String path, String key) {
    Map<String, Object> object = server.objects.get(path);
    return object == null ? "" : Json.text(Json.child(object, "data"), key);
  }

  private static String secret(FakeApiServer server, String key) {
    return new String(
        Base64.getDecoder().decode(data(server, SECRET, key)), StandardCharsets.UTF_8);
  }

  private static Map<String, Object> object(Map<String, String> data) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("kind", "ConfigMap");
    Json.grow(object, "metadata");
    object.put("data", new LinkedHashMap<String, Object>(data));
    return object;
  }

  @Test
  void makesTheIdOfTheClusterAndStoresIt() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      ClusterStateStore store = cluster.store();
      String id = store.load().agentId();
      assertEquals(AgentIdentity.of("0c7e2a52-uid"), id);
      assertTrue(id.matches("agent-[0-9a-f]{16}"), id);
      Await.until("stored", () -> data(server, MAP, "agent_id").equals(id));
      assertEquals(id, cluster.store().load().agentId());
      assertFalse(server.objects.containsKey(SECRET));
      Map<String, Object> labels =
          Json.child(Json.child(server.objects.get(MAP), "metadata"), "labels");
      assertEquals("state", labels.get("app.kubernetes.io/component"));
      store.close();
    }
  }

  @Test
  void readsWhatTheExistingAgentHasWrittenAndKeepsItsKeys() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(
          MAP,
          object(
              Map.of(
                  "agent_id",
                  "agent-old",
                  "cluster_id",
                  "c-1",
                  "gateway_ws_url",
                  "wss://g/ws",
                  "theirs",
                  "kept")));
      server.put(
          SECRET,
          object(
              Map.of(
                  "cluster_token",
                  Base64.getEncoder().encodeToString("tok".getBytes(StandardCharsets.UTF_8)))));
      ClusterStateStore store = cluster.store();
      PersistedState state = store.load();
      assertEquals("agent-old", state.agentId());
      assertEquals("c-1", state.clusterId());
      assertEquals("wss://g/ws", state.gatewayUrl());
      assertEquals("tok", state.clusterToken());
      assertEquals(2, server.asked.size(), "two reads at the start and nothing else");
      store.update(before -> before.withRegistration("c-2", "uuid-2", ""));
      assertEquals("c-2", data(server, MAP, "cluster_id"));
      assertEquals("uuid-2", data(server, MAP, "cluster_uuid"));
      assertEquals("", data(server, MAP, "gateway_ws_url"));
      assertEquals("kept", data(server, MAP, "theirs"));
      assertEquals(3, server.asked.size(), "one write for the change of one object");
    }
  }

  @Test
  void writesOnlyTheObjectThatChangedAndNothingIfNothingDid() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      ClusterStateStore store = cluster.store();
      store.update(state -> state.withRegistration("c-1", "u-1", "wss://g"));
      Await.until("stored", () -> data(server, MAP, "cluster_id").equals("c-1"));
      int before = server.asked.size();
      store.update(state -> state.withCredentials("token", "ca"));
      assertEquals("token", secret(server, "cluster_token"));
      assertEquals("ca", secret(server, "cluster_cert_data"));
      assertEquals("Opaque", server.objects.get(SECRET).get("type"));
      assertEquals(before + 1, server.asked.size());
      store.update(state -> state.withCredentials("token", "ca"));
      assertEquals(before + 1, server.asked.size());
    }
  }

  @Test
  void winsAgainstAnotherWriter() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-x")));
      ClusterStateStore store = cluster.store();
      store.load();
      AtomicInteger interferences = new AtomicInteger(2);
      server.beforeWrite =
          () -> {
            if (interferences.getAndDecrement() > 0) {
              server.put(MAP, object(Map.of("agent_id", "agent-x", "other", "writer")));
            }
          };
      store.update(state -> state.withRegistration("c-9", "", ""));
      assertEquals("c-9", data(server, MAP, "cluster_id"));
      assertEquals("writer", data(server, MAP, "other"));
    }
  }

  @Test
  void putsBackAnObjectThatWasDeleted() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-x")));
      ClusterStateStore store = cluster.store();
      store.load();
      server.objects.remove(MAP);
      store.update(state -> state.withRegistration("c-9", "", ""));
      assertEquals("agent-x", data(server, MAP, "agent_id"));
      assertEquals("c-9", data(server, MAP, "cluster_id"));
    }
  }

  @Test
  void whatWasEditedIntoNonsenseCountsAsMissing() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      Map<String, Object> edited = object(Map.of());
      Map<String, Object> data = Json.grow(edited, "data");
      data.put("agent_id", "x".repeat(500_000));
      data.put("cluster_id", " c-1\n");
      data.put("cluster_uuid", "two words");
      data.put("gateway_ws_url", List.of("wss://g"));
      server.put(MAP, edited);
      server.put(SECRET, object(Map.of("cluster_token", "%%%", "cluster_cert_data", "AAE=")));
      ClusterStateStore store = cluster.store();
      PersistedState state = store.load();
      assertEquals(AgentIdentity.of("0c7e2a52-uid"), state.agentId());
      assertEquals("c-1", state.clusterId());
      assertEquals("", state.clusterUuid());
      assertEquals("", state.gatewayUrl());
      assertEquals("", state.clusterToken());
      assertEquals("", state.clusterCa());
      Await.until("mended", () -> data(server, MAP, "agent_id").equals(state.agentId()));
      store.close();
    }
  }

  @Test
  void anObjectThatIsNoObjectAnyMoreCrashesNothing() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      Map<String, Object> edited = object(Map.of());
      edited.put("data", "gone");
      server.put(MAP, edited);
      ClusterStateStore store = cluster.store();
      assertEquals(AgentIdentity.of("0c7e2a52-uid"), store.load().agentId());
      store.close();
    }
  }

  @Test
  void anObjectThatIsTooLargeToBeWrittenIsKeptInMemory() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-x", "theirs", "y".repeat(900_000))));
      ClusterStateStore store = cluster.store();
      store.load();
      server.permanent =
          new Fault(422, "", "{\"message\":\"Too long: must have at most 1048576 bytes\"}");
      store.update(state -> state.withRegistration("c-9", "", ""));
      assertEquals("c-9", store.load().clusterId());
      server.permanent = null;
      Await.until("stored late", () -> data(server, MAP, "cluster_id").equals("c-9"));
      store.close();
    }
  }

  @Test
  void theIdentityIsTheClustersEvenIfTheStateIsForbidden() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.forbidden = "/configmaps";
      ClusterStateStore store = cluster.store();
      assertEquals(AgentIdentity.of("0c7e2a52-uid"), store.load().agentId());
      store.close();
    }
  }

  @Test
  void whatAnotherReplicaHasWrittenIsReadAgainButNotItsToken() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-x")));
      ClusterStateStore mine = cluster.store();
      mine.update(state -> state.withCredentials("my-token", ""));
      ClusterStateStore theirs = cluster.store();
      theirs.update(
          state -> state.withRegistration("c-9", "u-9", "").withCredentials("their-token", ""));
      assertEquals("", mine.load().clusterId());
      mine.readAgain();
      assertEquals("c-9", mine.load().clusterId());
      assertEquals("my-token", mine.load().clusterToken());
      server.permanent = Fault.of(500);
      mine.readAgain();
      assertEquals("c-9", mine.load().clusterId());
    }
  }

  @Test
  void createsAMissingNamespace() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster =
            new Cluster(folder, server.base(), Map.of("state_namespace", "elsewhere"))) {
      ClusterStateStore store = cluster.store();
      store.load();
      Await.until(
          "stored",
          () ->
              server.objects.containsKey(
                  "/api/v1/namespaces/elsewhere/configmaps/pipeops-agent-state"));
    }
  }

  @Test
  void takesTheIdOfTheClusterLateUnlessItIsRegisteredAlready() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.permanent = Fault.of(403);
      ClusterStateStore store = cluster.store();
      assertEquals(AgentIdentity.ofMachine(), store.load().agentId());
      server.permanent = null;
      String id = AgentIdentity.of("0c7e2a52-uid");
      Await.until("stored late", () -> data(server, MAP, "agent_id").equals(id));
      assertEquals(id, store.load().agentId());
      store.close();
    }
  }

  @Test
  void anIdThatTheClusterCouldNotGiveInTimeIsNotStored() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.failing = "/namespaces/kube-system";
      ClusterStateStore store = cluster.store();
      assertEquals(AgentIdentity.ofMachine(), store.load().agentId());
      List<String> told = Collections.synchronizedList(new ArrayList<>());
      store.onIdentityChange(() -> told.add("changed"));
      server.failing = "";
      String id = AgentIdentity.of("0c7e2a52-uid");
      Await.until("stored late", () -> data(server, MAP, "agent_id").equals(id));
      assertEquals(id, store.load().agentId());
      assertEquals(List.of("changed"), told);
      assertTrue(
          server.asked.stream()
              .noneMatch(asked -> asked.body().contains(AgentIdentity.ofMachine())),
          "the other id was never written");
      store.close();
    }
  }

  @Test
  void keepsStateInMemoryWhileForbiddenAndStoresItWhenPermitted() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.permanent = Fault.of(403);
      ClusterStateStore store = cluster.store();
      PersistedState state = store.load();
      assertEquals(AgentIdentity.ofMachine(), state.agentId());
      assertEquals(
          "c-1", store.update(before -> before.withRegistration("c-1", "u", "")).clusterId());
      assertEquals("c-1", store.load().clusterId());
      server.permanent = null;
      Await.until("stored late", () -> data(server, MAP, "cluster_id").equals("c-1"));
      assertEquals(state.agentId(), data(server, MAP, "agent_id"));
      store.close();
    }
  }

  @Test
  void anIdentityFoundLateWinsAndIsReported() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-old", "cluster_id", "c-old")));
      server.permanent = Fault.of(403);
      ClusterStateStore store = cluster.store();
      List<String> told = new ArrayList<>();
      store.onIdentityChange(() -> told.add("changed"));
      store.update(state -> state.withRegistration("c-new", "", "").withCredentials("t", ""));
      server.permanent = null;
      Await.until("merged", () -> store.load().agentId().equals("agent-old"));
      assertEquals("c-old", store.load().clusterId());
      assertEquals("t", store.load().clusterToken());
      Await.until("told", () -> told.equals(List.of("changed")));
      Await.until("stored", () -> secret(server, "cluster_token").equals("t"));
      store.update(
          state ->
              state
                  .withAgentId(AgentIdentity.ofMachine())
                  .withRegistration("c-new", "", "")
                  .withCredentials("t2", ""));
      assertEquals("agent-old", data(server, MAP, "agent_id"), "who lags behind spoils nothing");
      assertEquals("c-old", data(server, MAP, "cluster_id"));
      assertEquals("t2", secret(server, "cluster_token"));
      store.close();
    }
  }

  @Test
  void aConfiguredIdentityWinsOverOneFoundLate() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.put(MAP, object(Map.of("agent_id", "agent-old", "cluster_id", "c-old")));
      server.permanent = Fault.of(403);
      ClusterStateStore store = cluster.store();
      store.update(state -> state.withAgentId("mine").withRegistration("c-new", "", ""));
      server.permanent = null;
      Await.until("stored", () -> data(server, MAP, "agent_id").equals("mine"));
      assertEquals("c-new", data(server, MAP, "cluster_id"));
      store.close();
    }
  }

  @Test
  void waitsForAServerThatIsJustStarting() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    try (Cluster cluster = new Cluster(folder, "http://127.0.0.1:" + port, Map.of())) {
      ClusterStateStore store = cluster.store();
      Thread late =
          Thread.ofVirtual()
              .start(
                  () -> {
                    Await.until("asked", () -> cluster.access.client().isPresent());
                    try (FakeApiServer server = new FakeApiServer(null, port)) {
                      Await.until("stored", () -> server.objects.containsKey(MAP));
                    } catch (java.io.IOException e) {
                      throw new java.io.UncheckedIOException(e);
                    }
                  });
      assertEquals(AgentIdentity.of("0c7e2a52-uid"), store.load().agentId());
      late.join();
      store.close();
    }
  }

  @Test
  void withoutAClusterTheStateLivesInMemory() throws Exception {
    try (Cluster cluster = new Cluster(folder, "x", Map.of("kubeconfig", ""))) {
      assertTrue(cluster.access.server().isEmpty());
      assertTrue(cluster.access.problem().contains("not in a pod"), cluster.access.problem());
      ClusterStateStore store = cluster.store();
      assertTrue(store.load().agentId().matches("agent-[0-9a-f]{16}"));
      store.update(state -> state.withRegistration("c-1", "", ""));
      assertEquals("c-1", store.load().clusterId());
      store.close();
    }
  }

  @Test
  void concurrentUpdatesAreAllKept() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      ClusterStateStore store = cluster.store();
      store.update(state -> state.withRegistration("", "", ""));
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        threads.add(
            Thread.ofVirtual()
                .start(
                    () ->
                        store.update(
                            state -> state.withRegistration(state.clusterId() + "x", "", ""))));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals("x".repeat(20), store.load().clusterId());
      Await.until("stored", () -> data(server, MAP, "cluster_id").equals("x".repeat(20)));
    }
  }

  @Test
  void theStateNeverShowsItsTokenAsText() {
    PersistedState state = PersistedState.EMPTY.withCredentials("top-secret", "ca");
    assertFalse(state.toString().contains("top-secret"));
    assertNotEquals(AgentIdentity.of("a"), AgentIdentity.of("b"));
  }
}
