package io.pipeops.hub.rest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.HubServer;
import io.pipeops.hub.TestHub;
import io.pipeops.hub.agents.AgentEndpoint;
import io.pipeops.hub.agents.AgentMetrics;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.kube.KubeHandler;
import io.pipeops.hub.store.Await;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.StoreSettings;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Store, agents, Kubernetes API and REST API together, as the hub puts them together. */
class WholeHubTest {
  @TempDir Path home;
  private HubStore store;
  private AgentSessions sessions;
  private HubServer server;
  private final ScheduledExecutorScheduler scheduler = new ScheduledExecutorScheduler("test", true);
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  @BeforeEach
  void start() throws Exception {
    scheduler.start();
    store = HubStore.open(StoreSettings.embedded(home));
    sessions =
        new AgentSessions(
            store,
            TestHub.quick(),
            new AgentMetrics(new RestServer.NoMetrics()),
            scheduler,
            store.sessionWatch());
    server =
        new HubServer(
            HubListener.local(),
            Optional.empty(),
            scheduler,
            new AgentEndpoint(store, sessions, ""),
            List.of(
                new KubeHandler(store, sessions, Duration.ofSeconds(5), false),
                new RestApi(
                    store,
                    LiveSessions.of(sessions),
                    new RestSettings("1", "", Optional.empty()),
                    new RestServer.NoMetrics())));
    server.start();
  }

  @AfterEach
  void stop() throws Exception {
    client.shutdownNow();
    sessions.close();
    server.close();
    scheduler.stop();
    store.close();
  }

  private String token(String file) throws Exception {
    return Files.readString(home.resolve(file)).strip();
  }

  private FakeAgent agent(String token) throws Exception {
    URI address =
        URI.create(server.address().toString().replace("http", "ws") + "/api/v1/clusters/agent/ws");
    return FakeAgent.connect(address, token);
  }

  private HttpResponse<String> call(String method, String path, String body) throws Exception {
    return client.send(
        HttpRequest.newBuilder(URI.create(server.address() + path))
            .header("Authorization", "Bearer " + token("admin.token"))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private JsonNode cluster(String id) throws Exception {
    return RestServer.json(call("GET", "/api/v1/clusters/" + id, ""));
  }

  private List<String> events() throws Exception {
    HttpResponse<Stream<String>> stream =
        client.send(
            HttpRequest.newBuilder(URI.create(server.address() + "/api/v1/events"))
                .header("Authorization", "Bearer " + token("admin.token"))
                .build(),
            HttpResponse.BodyHandlers.ofLines());
    assertEquals(200, stream.statusCode());
    List<String> types = new CopyOnWriteArrayList<>();
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                stream
                    .body()
                    .filter(line -> line.startsWith("event: "))
                    .forEach(line -> types.add(line.substring(7)));
              } catch (UncheckedIOException e) {
                // The test is over.
              }
            });
    return types;
  }

  @Test
  void agentComesBeatsAndGoes() throws Exception {
    List<String> events = events();
    String id;
    try (FakeAgent agent = agent(token("agent.token"))) {
      agent.register("edge", "");
      id = agent.take("register_success").at("/payload/cluster_id").asText();
      Await.until(() -> events.contains("connected"));
      agent.heartbeat(id, "edge");
      Await.until(() -> events.contains("heartbeat"));
      JsonNode live = cluster(id);
      assertTrue(live.get("connected").asBoolean(), live.toString());
      assertTrue(live.get("last_heartbeat_age_seconds").asDouble() >= 0);
      assertFalse(live.get("since").isNull());
    }
    Await.until(() -> events.contains("disconnected"));
    assertEquals(List.of("registered", "connected", "heartbeat", "disconnected"), events);
    assertFalse(cluster(id).get("connected").asBoolean());
  }

  @Test
  void kubeconfigOfTheRestApiOpensTheClustersApi() throws Exception {
    try (FakeAgent agent = agent(token("agent.token"))) {
      agent.register("edge", "");
      String id = agent.take("register_success").at("/payload/cluster_id").asText();
      agent.serve(request -> agent.answer(request, 200, "{\"kind\":\"Status\"}"));
      String yaml = call("POST", "/api/v1/clusters/" + id + "/kubeconfig", "").body();
      String address = yaml.replaceAll("(?s).*server: \"([^\"]+)\".*", "$1");
      String token = yaml.replaceAll("(?s).*token: \"([^\"]+)\".*", "$1");
      HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address + "/api"));
      assertEquals(
          401, client.send(request.build(), HttpResponse.BodyHandlers.ofString()).statusCode());
      HttpResponse<String> answer =
          client.send(
              request.setHeader("Authorization", "Bearer " + token).build(),
              HttpResponse.BodyHandlers.ofString());
      assertEquals(200, answer.statusCode(), answer.body());
      JsonNode tokens = RestServer.json(call("GET", "/api/v1/clusters/" + id + "/tokens", ""));
      String tokenId = tokens.get("items").get(0).get("id").asText();
      call("DELETE", "/api/v1/clusters/" + id + "/tokens/" + tokenId, "");
      assertEquals(
          401, client.send(request.build(), HttpResponse.BodyHandlers.ofString()).statusCode());
    }
  }

  @Test
  void revokedAgentTokenEndsItsConnectionAndStaysOut() throws Exception {
    JsonNode made = RestServer.json(call("POST", "/api/v1/agent-tokens", "{\"name\":\"t\"}"));
    try (FakeAgent agent = agent(made.get("token").asText())) {
      agent.register("edge", "");
      agent.take("register_success");
      call("DELETE", "/api/v1/agent-tokens/" + made.get("id").asText(), "");
      assertEquals(1008, agent.closed.get(10, TimeUnit.SECONDS));
    }
    boolean refused = false;
    try (FakeAgent again = agent(made.get("token").asText())) {
      assertFalse(again.closed.isDone());
    } catch (Exception e) {
      refused = true;
    }
    assertTrue(refused);
  }

  @Test
  void deletedClusterIsCutAndComesBackAsANewOne() throws Exception {
    String id;
    try (FakeAgent agent = agent(token("agent.token"))) {
      agent.register("edge", "");
      id = agent.take("register_success").at("/payload/cluster_id").asText();
      assertEquals(204, call("DELETE", "/api/v1/clusters/" + id, "").statusCode());
      assertEquals(1008, agent.closed.get(10, TimeUnit.SECONDS));
    }
    try (FakeAgent agent = agent(token("agent.token"))) {
      agent.register("edge", id);
      String next = agent.take("register_success").at("/payload/cluster_id").asText();
      assertFalse(id.equals(next));
    }
  }
}
