package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.Outgoing;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.service.condition.Condition;

class CredentialsTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  @TempDir Path folder;

  /** A link that remembers why it should register. */
  private static final class FakeLink implements Link {
    final List<String> reasons = Collections.synchronizedList(new java.util.ArrayList<>());

    @Override
    public LinkStatus status() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void deliver(Outgoing message, Duration limit) {}

    @Override
    public void register(String reason) {
      reasons.add(reason);
    }
  }

  @Test
  void theOwnTokenIsStoredOnceItMayManage() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.managingToken = "first-token";
      ClusterStateStore store = cluster.store();
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      assertFalse(credentials.refresh(LIMIT), "nothing had been reported before");
      assertEquals("first-token", store.load().clusterToken());
      assertEquals("first-token", credentials.token());
      long reviews = server.count("POST", "selfsubjectaccessreviews");
      assertFalse(credentials.refresh(LIMIT));
      assertEquals(reviews, server.count("POST", "selfsubjectaccessreviews"));
    }
  }

  @Test
  void aRotatedTokenIsStoredAndTheAgentRegistersAnew() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.managingToken = "first-token";
      ClusterStateStore store = cluster.store();
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      CredentialWatch watch = new CredentialWatch(credentials, store, Duration.ofMillis(20));
      FakeLink link = new FakeLink();
      watch.setLink(link);
      Await.until("first", () -> store.load().clusterToken().equals("first-token"));
      assertTrue(link.reasons.isEmpty());
      server.managingToken = "second-token";
      cluster.token("second-token");
      Await.until("rotated", () -> store.load().clusterToken().equals("second-token"));
      Await.until("registers", () -> link.reasons.size() == 1);
      assertTrue(link.reasons.get(0).contains("credentials"), link.reasons.get(0));
      watch.close();
    }
  }

  @Test
  void aReasonThatComesBeforeTheLinkWaitsForIt() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.managingToken = "first-token";
      ClusterStateStore store = cluster.store();
      store.update(state -> state.withCredentials("older", ""));
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      CredentialWatch watch = new CredentialWatch(credentials, store, Duration.ofMillis(20));
      Await.until("replaced", () -> store.load().clusterToken().equals("first-token"));
      FakeLink link = new FakeLink();
      watch.setLink(link);
      Await.until("registers", () -> link.reasons.size() == 1);
      watch.close();
    }
  }

  @Test
  void aTokenThatMayNotManageIsReportedOnlyForLackOfABetterOne() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      ClusterStateStore store = cluster.store();
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      credentials.refresh(LIMIT);
      assertEquals("", store.load().clusterToken());
      assertEquals("first-token", credentials.token());
      store.update(state -> state.withCredentials("better", ""));
      credentials.refresh(LIMIT);
      assertEquals("better", credentials.token());
      assertEquals(1, server.count("POST", "selfsubjectaccessreviews"));
    }
  }

  @Test
  void theServersNewTokenIsNotReplacedByTheOldOwnOne() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.managingToken = "first-token";
      ClusterStateStore store = cluster.store();
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      credentials.refresh(LIMIT);
      store.update(state -> state.withCredentials("from-the-server", state.clusterCa()));
      assertFalse(credentials.refresh(LIMIT));
      assertEquals("from-the-server", credentials.token());
    }
  }

  @Test
  void theApiServersAnswersMakeTheConditionTheFactsAndTheHealth() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.managingToken = "first-token";
      server.permanent = FakeApiServer.Fault.of(503);
      ClusterReach reach =
          new ClusterReach(cluster.context.context, cluster.access, new Fakes.NoMetrics());
      Await.until("seen", () -> reach.execute().toString().contains("503"));
      assertEquals(Result.Status.CRITICAL, reach.execute().getStatus());
      assertFalse(cluster.context.has(Condition.class));
      server.permanent = null;
      Await.until("reached", () -> cluster.context.has(Condition.class));
      assertEquals(Result.Status.OK, reach.execute().getStatus());
      ClusterStateStore store = cluster.store();
      ClusterCredentials credentials =
          new ClusterCredentials(cluster.access, store, cluster.config);
      assertEquals(
          Map.of("k8s_version", "v1.34.9", "k8s_service_token", "first-token"),
          new ClusterRegistrationFact(reach, credentials).facts());
      assertEquals(
          Map.of("metadata", Map.of("k8s_version", "v1.34.9")),
          new ClusterHeartbeatFact(reach).facts());
      server.permanent = FakeApiServer.Fault.of(500);
      // A call of another part that was answered well just before may end just after this one.
      Await.until(
          "the failure counts",
          () -> {
            try {
              cluster.access.client().orElseThrow().get("/x", "application/json", LIMIT);
            } catch (IOException | InterruptedException e) {
              throw new AssertionError(e);
            }
            return reach.execute().getStatus() == Result.Status.CRITICAL;
          });
      server.permanent = null;
      Await.until("back", () -> reach.execute().getStatus() == Result.Status.OK);
      reach.close();
      assertFalse(cluster.context.has(Condition.class));
    }
  }

  @Test
  void rejectedCredentialsAreNotReady() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        Cluster cluster = new Cluster(folder, server.base(), Map.of())) {
      server.permanent = FakeApiServer.Fault.of(401);
      ClusterReach reach =
          new ClusterReach(cluster.context.context, cluster.access, new Fakes.NoMetrics());
      Await.until("seen", () -> reach.execute().toString().contains("refuses"));
      reach.close();
    }
  }
}
