package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.RawAgent;
import io.pipeops.hub.TestHub;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.websocket.api.exceptions.UpgradeException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RegistrationTest {
  private static final String CONTROLLER = AgentEndpoint.CONTROLLER;
  private TestHub hub;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub();
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private int refusal(String path, String token) {
    ExecutionException e =
        assertThrows(ExecutionException.class, () -> FakeAgent.connect(hub.ws(path), token));
    return assertInstanceOf(UpgradeException.class, e.getCause()).getResponseStatusCode();
  }

  @Test
  void registersAndTellsTheDirectoryWithoutSecrets() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      assertFalse(agent.clusterId.isEmpty());
      Registration what = hub.directory.registrations.getFirst();
      assertEquals("one", what.name());
      assertEquals("id-one", what.agentId());
      assertEquals("service-token", what.serviceToken());
      assertEquals("NG", what.region());
      assertFalse(what.json().contains("service-token"), what.json());
      assertFalse(what.toString().contains("service-token"));
      SessionInfo info = hub.sessions.list().getFirst();
      assertEquals(agent.clusterId, info.clusterId());
      assertEquals("9.9", info.agentVersion());
      assertEquals(SessionInfo.State.CONNECTED, info.state());
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
  }

  @Test
  void answersTheRequestIdAndOffersNoGatewayByDefault() throws Exception {
    try (FakeAgent agent = FakeAgent.connect(hub.ws(CONTROLLER), "agent-a")) {
      agent.register("a", "");
      JsonNode success = agent.take("register_success");
      assertEquals("reg-1", success.path("request_id").asText());
      assertFalse(success.path("payload").has("gateway_ws_url"));
      assertEquals(
          success.at("/payload/cluster_id").asText(), success.at("/payload/cluster_uuid").asText());
    }
  }

  @Test
  void wrongTokenIsRefusedBeforeTheUpgrade() {
    assertEquals(401, refusal(CONTROLLER, "nonsense"));
    assertEquals(401, refusal(CONTROLLER, null));
    assertEquals(401, refusal(AgentEndpoint.GATEWAY + "?cluster_uuid=x", "nonsense"));
  }

  @Test
  void brokenStoreIsNotAWrongToken() {
    hub.directory.broken = true;
    assertEquals(503, refusal(CONTROLLER, "agent-a"));
  }

  @Test
  void refusedRegistrationSaysWhy() throws Exception {
    try (FakeAgent agent = FakeAgent.connect(hub.ws(CONTROLLER), "agent-a")) {
      agent.register("refuse-me", "");
      JsonNode error = agent.take("error");
      assertEquals("reg-1", error.path("request_id").asText());
      assertTrue(error.at("/payload/error").asText().contains("no more clusters"));
      agent.sendText("{\"type\":\"register\",\"request_id\":\"r\",\"payload\":{\"name\":\"x\"}}");
      assertTrue(agent.take("error").at("/payload/error").asText().contains("agent_id"));
    }
  }

  @Test
  void heartbeatOnAFreshConnectionResumesTheCluster() throws Exception {
    String cluster;
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      cluster = agent.clusterId;
      agent.vanish();
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
    try (FakeAgent agent = FakeAgent.connect(hub.ws(CONTROLLER), "agent-one")) {
      agent.heartbeat(cluster, "one");
      agent.take("heartbeat_ack");
      assertTrue(hub.sessions.session(cluster).isPresent());
      assertEquals("9.9", hub.sessions.list().getFirst().agentVersion());
      assertTrue(hub.sessions.list().getFirst().lastHeartbeat().isPresent());
      assertFalse(hub.directory.heartbeats.getFirst().contains("grafana_password"));
    }
  }

  @Test
  void heartbeatOfAnUnknownClusterAsksForRegistration() throws Exception {
    String foreign;
    try (FakeAgent other = FakeAgent.registered(hub, "other")) {
      foreign = other.clusterId;
    }
    try (FakeAgent agent = FakeAgent.connect(hub.ws(CONTROLLER), "agent-one")) {
      for (String cluster : new String[] {"", "nobody", foreign}) {
        agent.heartbeat(cluster, "one");
        assertEquals("cluster not found", agent.take("error").at("/payload/error").asText());
      }
      agent.register("one", "");
      agent.take("register_success");
    }
  }

  @Test
  void secondAgentIsToldAndTakesOverWhenTheFirstIsGone() throws Exception {
    try (FakeAgent first = FakeAgent.registered(hub, "one");
        FakeAgent second = FakeAgent.connect(hub.ws(CONTROLLER), "agent-one")) {
      String expected = "cluster " + first.clusterId + " already connected";
      second.register("one", first.clusterId);
      assertEquals(expected, second.take("error").at("/payload/error").asText());
      second.register("one", "");
      assertEquals(expected, second.take("error").at("/payload/error").asText());
      second.heartbeat(first.clusterId, "one");
      assertEquals(expected, second.take("error").at("/payload/error").asText());
      assertEquals(
          409, refusal(AgentEndpoint.GATEWAY + "?cluster_uuid=" + first.clusterId, "agent-one"));
      assertTrue(hub.sessions.session(first.clusterId).isPresent());
      first.vanish();
      TestHub.await("first is gone", () -> hub.sessions.list().isEmpty());
      second.register("one", first.clusterId);
      assertEquals(
          first.clusterId, second.take("register_success").at("/payload/cluster_id").asText());
    }
  }

  @Test
  void silentConnectionIsReplacedAndAWakefulOneIsNot() throws Exception {
    String cluster;
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      cluster = agent.clusterId;
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
    try (RawAgent silent =
            RawAgent.connect(hub, AgentEndpoint.GATEWAY + "?cluster_uuid=" + cluster, "agent-one");
        FakeAgent back = FakeAgent.connect(hub.ws(CONTROLLER), "agent-one")) {
      TestHub.await("silent one serves", () -> hub.sessions.session(cluster).isPresent());
      long start = System.nanoTime();
      back.register("one", cluster);
      back.take("register_success");
      long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      assertTrue(took >= 1_900 && took < 4_000, "took " + took + " ms");
      assertFalse(hub.sessions.list().getFirst().gateway());
      assertTrue(silent.closedByPeer());
    }
  }

  @Test
  void strangerNeverReplacesASilentAgent() throws Exception {
    String cluster;
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      cluster = agent.clusterId;
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
    try (RawAgent silent = RawAgent.connect(hub, CONTROLLER, "agent-one");
        FakeAgent stranger = FakeAgent.connect(hub.ws(CONTROLLER), "agent-one")) {
      silent.text(
          "{\"type\":\"heartbeat\",\"payload\":{\"cluster_id\":\""
              + cluster
              + "\",\"agent_id\":\"id-one\"}}");
      TestHub.await(
          "silent one serves",
          () ->
              hub.sessions.session(cluster).isPresent()
                  && hub.sessions.list().getFirst().lastHeartbeat().isPresent());
      stranger.register("two", cluster);
      assertTrue(stranger.take("error").at("/payload/error").asText().endsWith("connected"));
    }
  }

  @Test
  void registeringAgainUpdatesTheToken() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      hub.directory.tokens.put(agent.clusterId, "old");
      agent.register("one", agent.clusterId);
      agent.take("register_success");
      assertEquals("service-token", hub.directory.tokens.get(agent.clusterId));
      assertEquals(1, hub.sessions.list().size());
    }
  }

  @Test
  void gatewayTakesOnlyTheCredentialsOwnClusters() throws Exception {
    String cluster;
    try (FakeAgent other = FakeAgent.registered(hub, "other")) {
      cluster = other.clusterId;
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
    String path = AgentEndpoint.GATEWAY + "?cluster_uuid=";
    assertEquals(403, refusal(path + cluster, "agent-one"));
    assertEquals(403, refusal(path + "nobody", "agent-other"));
    assertEquals(400, refusal(AgentEndpoint.GATEWAY, "agent-other"));
    try (FakeAgent agent = FakeAgent.connect(hub.ws(path + cluster), "agent-other")) {
      assertTrue(hub.sessions.session(cluster).isPresent());
      assertTrue(hub.sessions.list().getFirst().gateway());
      agent.heartbeat(cluster, "other");
      agent.take("heartbeat_ack");
    }
  }

  @Test
  void ownGatewayIsOfferedAndTheControllerConnectionDoesNotHoldTheCluster() throws Exception {
    try (TestHub self = new TestHub(AgentLimits.standard(), HubListener.local(), "self");
        FakeAgent agent = FakeAgent.connect(self.ws(CONTROLLER), "agent-one")) {
      agent.register("one", "");
      JsonNode success = agent.take("register_success");
      String url = success.at("/payload/gateway_ws_url").asText();
      assertEquals(self.ws("/ws").toString(), url);
      String cluster = success.at("/payload/cluster_uuid").asText();
      try (FakeAgent moved =
          FakeAgent.connect(self.ws("/ws?cluster_uuid=" + cluster), "agent-one")) {
        assertTrue(self.sessions.list().getFirst().gateway());
        agent.register("one", cluster);
        assertTrue(agent.take("error").at("/payload/error").asText().endsWith("connected"));
        moved.heartbeat(cluster, "one");
        moved.take("heartbeat_ack");
      }
    }
  }

  @Test
  void disconnectsOnDemand() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      assertTrue(hub.sessions.disconnect(agent.clusterId, "the cluster was removed"));
      assertEquals(1008, agent.closed.get(10, TimeUnit.SECONDS));
      assertFalse(hub.sessions.disconnect(agent.clusterId, "again"));
    }
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      assertEquals(1, hub.sessions.disconnectCredential("agent-one", "the token was revoked"));
      assertEquals(1008, agent.closed.get(10, TimeUnit.SECONDS));
    }
  }

  @Test
  void stoppingHubSaysSo() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      hub.sessions.close();
      assertEquals(1001, agent.closed.get(10, TimeUnit.SECONDS));
    }
  }
}
