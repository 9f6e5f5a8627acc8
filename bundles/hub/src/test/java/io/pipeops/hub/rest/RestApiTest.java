package io.pipeops.hub.rest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.Registration;
import io.pipeops.hub.store.Await;
import io.pipeops.hub.store.StoreSettings;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The REST API over HTTP, with a real store. */
class RestApiTest {
  private static final String HEARTBEAT =
      "{\"status\":\"healthy\",\"metadata\":{\"agent_version\":\"1.0.1\",\"k8s_version\":\"v1.35\","
          + "\"k8s_nodes\":3,\"k8s_pods\":41,\"cpu_usage\":\"12%\",\"memory_usage\":\"34%\"}}";

  @TempDir Path home;
  private RestServer hub;

  @BeforeEach
  void start() throws Exception {
    hub = new RestServer(StoreSettings.embedded(home), "");
  }

  @AfterEach
  void stop() throws Exception {
    hub.close();
  }

  private AgentCredential agent() throws Exception {
    return hub.store
        .authenticateAgent(Files.readString(home.resolve("agent.token")).strip())
        .orElseThrow();
  }

  private String cluster(String agentId) throws Exception {
    return hub.store
        .register(
            agent(),
            new Registration(
                "edge lab", agentId, "", "1.0.0", "v1.34", "NG", "aws", "{}", "service-secret", ""))
        .id();
  }

  private SchemaCheck schemas() throws Exception {
    return new SchemaCheck(RestServer.json(hub.send(hub.request("/openapi.json"))));
  }

  private static void assertProblem(int status, HttpResponse<String> response) throws Exception {
    assertEquals(status, response.statusCode(), response.body());
    assertEquals(
        "application/problem+json", response.headers().firstValue("Content-Type").orElse(""));
    JsonNode problem = RestServer.json(response);
    for (String field : List.of("type", "title", "detail", "action")) {
      assertFalse(problem.path(field).asText().isEmpty(), field);
    }
    assertEquals(status, problem.get("status").asInt());
  }

  @Test
  void everythingButHealthNeedsAnAdministratorsToken() throws Exception {
    String id = cluster("a1");
    String agentToken = Files.readString(home.resolve("agent.token")).strip();
    String clientToken = hub.store.issueClientToken(id, "c", null).text();
    for (Route route : hub.api.routes()) {
      String path = route.template().replaceAll("\\{[a-z]+}", id);
      for (String token : List.of("", agentToken, clientToken, "pad_" + "A".repeat(43), "x")) {
        HttpRequest.Builder request =
            hub.request(path).method(route.method(), HttpRequest.BodyPublishers.noBody());
        if (!token.isEmpty()) {
          request.header("Authorization", "Bearer " + token);
        }
        HttpResponse<String> response = hub.send(request);
        if (route.open()) {
          assertEquals(200, response.statusCode(), path);
        } else {
          assertProblem(401, response);
          assertTrue(response.headers().firstValue("WWW-Authenticate").isPresent());
          if (token.length() > 1) {
            assertFalse(response.body().contains(token));
          }
        }
      }
    }
    assertEquals(1, hub.store.clusters("", 10).size());
  }

  @Test
  void unknownPathsTellNothingWithoutAToken() throws Exception {
    assertProblem(401, hub.send(hub.request("/api/v1/nothing")));
    assertProblem(404, hub.get("/api/v1/nothing"));
    assertProblem(404, hub.get("/api/v1/clusters/"));
    assertProblem(404, hub.get("/api/v1/clusters/not-an-id"));
    assertProblem(404, hub.get("/api/v1/clusters/" + UUID.randomUUID()));
    // What is not ours is left to others.
    assertEquals(404, hub.get("/nothing").statusCode());
  }

  @Test
  void clusterShowsWhatIsStoredAndWhatIsLive() throws Exception {
    String id = cluster("a1");
    JsonNode quiet = RestServer.json(hub.get("/api/v1/clusters/" + id));
    schemas().check(quiet, "Cluster");
    assertFalse(quiet.get("connected").asBoolean());
    assertTrue(quiet.get("nodes").isNull());
    assertTrue(quiet.get("session").isNull());
    hub.sessions.connect(id, "a1");
    hub.store.heartbeat(id, Instant.now(), HEARTBEAT);
    JsonNode live = RestServer.json(hub.get("/api/v1/clusters/" + id));
    schemas().check(live, "Cluster");
    assertTrue(live.get("connected").asBoolean());
    assertEquals(3, live.get("nodes").asInt());
    assertEquals(41, live.get("pods").asInt());
    assertEquals("12%", live.get("cpu").asText());
    assertEquals("34%", live.get("memory").asText());
    assertEquals("v1.35", live.get("k8s_version").asText());
    assertEquals("9.9.9", live.get("agent_version").asText());
    assertTrue(live.get("last_heartbeat_age_seconds").asDouble() < 30);
    assertEquals(3, live.get("session").get("requests_in_flight").asInt());
    assertFalse(live.toString().contains("service-secret"));
    assertEquals("/k8s/clusters/" + id, live.get("api_path").asText());
  }

  @Test
  void listsInPagesWithALimit() throws Exception {
    Set<String> made = new HashSet<>();
    for (int i = 0; i < 5; i++) {
      made.add(cluster("a" + i));
    }
    Set<String> seen = new HashSet<>();
    String next = "";
    do {
      JsonNode page =
          RestServer.json(
              hub.get("/api/v1/clusters?limit=2" + (next.isEmpty() ? "" : "&after=" + next)));
      page.get("items").forEach(item -> seen.add(item.get("id").asText()));
      next = page.get("next").isNull() ? "" : page.get("next").asText();
    } while (!next.isEmpty());
    assertEquals(made, seen);
    for (String bad :
        List.of("limit=0", "limit=501", "limit=x", "limit=1&limit=2", "after=x", "page=1", "%zz")) {
      assertEquals(400, raw("GET /api/v1/clusters?" + bad), bad);
    }
  }

  @Test
  void clientTokenIsMadeShownOnceAndRevoked() throws Exception {
    String id = cluster("a1");
    String path = "/api/v1/clusters/" + id + "/tokens";
    HttpResponse<String> made = hub.call("POST", path, "{\"name\":\"ci\",\"ttl\":\"12h\"}");
    assertEquals(201, made.statusCode(), made.body());
    assertEquals("no-store", made.headers().firstValue("Cache-Control").orElse(""));
    JsonNode token = RestServer.json(made);
    schemas().check(token, "NewToken");
    String text = token.get("token").asText();
    assertTrue(hub.store.authorizeClient(id, text));
    HttpResponse<String> list = hub.get(path);
    assertFalse(list.body().contains(text));
    JsonNode item = RestServer.json(list).get("items").get(0);
    schemas().check(item, "Token");
    assertEquals("valid", item.get("state").asText());
    String one = path + "/" + token.get("id").asText();
    assertProblem(404, hub.call("DELETE", path + "/" + UUID.randomUUID(), null));
    assertEquals(204, hub.call("DELETE", one, null).statusCode());
    assertEquals(204, hub.call("DELETE", one, null).statusCode());
    assertFalse(hub.store.authorizeClient(id, text));
    assertEquals(
        "revoked", RestServer.json(hub.get(path)).get("items").get(0).get("state").asText());
    assertProblem(
        404,
        hub.call("POST", "/api/v1/clusters/" + UUID.randomUUID() + "/tokens", "{\"name\":\"x\"}"));
    assertProblem(404, hub.get("/api/v1/clusters/" + UUID.randomUUID() + "/tokens"));
  }

  @Test
  void agentTokenIsMadeAndRevokedWithItsConnections() throws Exception {
    HttpResponse<String> made =
        hub.call("POST", "/api/v1/agent-tokens", "{\"name\":\"new cluster\"}");
    assertEquals(201, made.statusCode(), made.body());
    JsonNode token = RestServer.json(made);
    schemas().check(token, "NewToken");
    assertTrue(token.get("expires").isNull());
    String text = token.get("token").asText();
    String id = token.get("id").asText();
    assertTrue(hub.store.authenticateAgent(text).isPresent());
    assertEquals(2, RestServer.json(hub.get("/api/v1/agent-tokens")).get("items").size());
    assertEquals(204, hub.call("DELETE", "/api/v1/agent-tokens/" + id, null).statusCode());
    assertTrue(hub.store.authenticateAgent(text).isEmpty());
    assertEquals(List.of(id), hub.sessions.disconnected);
    String cluster = cluster("a1");
    JsonNode bound =
        RestServer.json(
            hub.call(
                "POST",
                "/api/v1/agent-tokens",
                "{\"name\":\"b\",\"cluster_id\":\"%s\",\"ttl\":\"1h\"}".formatted(cluster)));
    assertEquals(cluster, bound.get("cluster_id").asText());
    assertProblem(
        404,
        hub.call(
            "POST",
            "/api/v1/agent-tokens",
            "{\"name\":\"b\",\"cluster_id\":\"%s\"}".formatted(UUID.randomUUID())));
  }

  @Test
  void kubeconfigHasAddressCaAndAWorkingToken() throws Exception {
    String id = cluster("a1");
    HttpResponse<String> response =
        hub.call("POST", "/api/v1/clusters/" + id + "/kubeconfig", null);
    assertEquals(201, response.statusCode(), response.body());
    String yaml = response.body();
    assertTrue(
        yaml.contains("server: \"http://127.0.0.1:" + hub.port() + "/k8s/clusters/" + id + "\""),
        yaml);
    assertTrue(
        yaml.contains(
            "certificate-authority-data: "
                + Base64.getEncoder()
                    .encodeToString("PEM OF THE CA".getBytes(StandardCharsets.US_ASCII))));
    assertTrue(yaml.contains("current-context: \"edge-lab\""));
    String token = yaml.replaceAll("(?s).*token: \"(pct_[^\"]+)\".*", "$1");
    assertTrue(hub.store.authorizeClient(id, token));
    assertProblem(
        404, hub.call("POST", "/api/v1/clusters/" + UUID.randomUUID() + "/kubeconfig", null));
  }

  @Test
  void externalUrlGoesIntoTheKubeconfig() throws Exception {
    hub.close();
    hub = new RestServer(StoreSettings.embedded(home), "https://hub.example.com/");
    String id = cluster("a1");
    HttpResponse<String> response =
        hub.call("POST", "/api/v1/clusters/" + id + "/kubeconfig", "{\"ttl\":\"1h\"}");
    assertTrue(
        response.body().contains("server: \"https://hub.example.com/k8s/clusters/" + id + "\""),
        response.body());
  }

  @Test
  void deletedClusterIsGoneAndDisconnected() throws Exception {
    String id = cluster("a1");
    assertEquals(204, hub.call("DELETE", "/api/v1/clusters/" + id, null).statusCode());
    assertEquals(List.of(id), hub.sessions.disconnected);
    assertProblem(404, hub.call("DELETE", "/api/v1/clusters/" + id, null));
  }

  @Test
  void badBodiesAreRefusedAndChangeNothing() throws Exception {
    String id = cluster("a1");
    String path = "/api/v1/clusters/" + id + "/tokens";
    for (String body :
        List.of(
            "{",
            "[]",
            "null",
            "\"x\"",
            "{\"name\":1}",
            "{\"name\":null}",
            "{\"name\":{\"a\":1}}",
            "{\"name\":\"a\",\"name\":\"b\"}",
            "{\"name\":\"a\",\"admin\":\"true\"}",
            "{\"name\":\"a\"} {}",
            "{\"name\":\"\"}",
            "{\"name\":\"a\\nb\"}",
            "{\"name\":\"" + "n".repeat(129) + "\"}",
            "{\"ttl\":\"1h\"}",
            "{\"name\":\"a\",\"ttl\":\"\"}",
            "{\"name\":\"a\",\"ttl\":\"-1h\"}",
            "{\"name\":\"a\",\"ttl\":\"99999d\"}",
            "{\"name\":\"a\",\"ttl\":\"999999999d\"}",
            "{\"name\":\"a\",\"ttl\":\"forever\"}",
            "[".repeat(5000))) {
      assertProblem(400, hub.call("POST", path, body));
    }
    assertProblem(413, hub.call("POST", path, "{\"name\":\"" + "n".repeat(20_000) + "\"}"));
    assertProblem(
        415,
        hub.send(
            hub.request(path)
                .header("Authorization", "Bearer " + hub.admin)
                .header("Content-Type", "text/plain")
                .POST(HttpRequest.BodyPublishers.ofString("{\"name\":\"a\"}"))));
    assertEquals(0, hub.store.clientTokens(id, "", 10).size());
  }

  @Test
  void methodsAreToldApart() throws Exception {
    HttpResponse<String> response = hub.call("PUT", "/api/v1/clusters", null);
    assertProblem(405, response);
    assertEquals("GET, HEAD", response.headers().firstValue("Allow").orElse(""));
    HttpResponse<String> options =
        hub.send(
            hub.request("/api/v1/clusters")
                .header("Origin", "https://evil.test")
                .header("Access-Control-Request-Method", "DELETE")
                .method("OPTIONS", HttpRequest.BodyPublishers.noBody()));
    assertProblem(401, options);
    assertTrue(
        options.headers().map().keySet().stream()
            .noneMatch(
                name -> name.toLowerCase(java.util.Locale.ROOT).startsWith("access-control")));
    HttpResponse<String> head = hub.call("HEAD", "/api/v1/clusters", null);
    assertEquals(200, head.statusCode());
    assertEquals("", head.body());
  }

  @Test
  void stateAndHealthAnswer() throws Exception {
    JsonNode state = RestServer.json(hub.get("/api/v1/state"));
    schemas().check(state, "State");
    assertEquals("1.2.3", state.get("version").asText());
    assertEquals("h2", state.get("database").get("kind").asText());
    assertTrue(state.get("database").get("available").asBoolean());
    assertEquals(200, hub.send(hub.request("/healthz")).statusCode());
    assertEquals(200, hub.send(hub.request("/readyz")).statusCode());
    assertProblem(405, hub.send(hub.request("/healthz").DELETE()));
  }

  @Test
  void databaseThatIsAwayIsTold() throws Exception {
    hub.store.close();
    assertProblem(503, hub.send(hub.request("/readyz")));
    HttpResponse<String> response = hub.get("/api/v1/clusters");
    assertProblem(503, response);
    assertTrue(response.headers().firstValue("Retry-After").isPresent());
    assertEquals(200, hub.send(hub.request("/healthz")).statusCode());
  }

  @Test
  void eventsComeAsTheyHappenAndAgainAfterAReconnect() throws Exception {
    String id = cluster("a1");
    List<String> lines = new CopyOnWriteArrayList<>();
    CompletableFuture<HttpResponse<Stream<String>>> stream =
        hub.client.sendAsync(
            hub.request("/api/v1/events?cluster=" + id)
                .header("Authorization", "Bearer " + hub.admin)
                .build(),
            HttpResponse.BodyHandlers.ofLines());
    Thread reader =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    stream.join().body().forEach(lines::add);
                  } catch (RuntimeException e) {
                    lines.add("cut: " + e);
                  }
                });
    Await.until(() -> lines.stream().anyMatch(line -> line.startsWith("retry:")));
    hub.store.heartbeat(id, Instant.now(), HEARTBEAT);
    hub.store.heartbeat(UUID.randomUUID().toString(), Instant.now(), HEARTBEAT);
    Await.until(() -> lines.stream().anyMatch(line -> line.startsWith("data:")));
    hub.store.deleteCluster(id);
    Await.until(() -> lines.stream().anyMatch(line -> line.equals("event: cluster_deleted")));
    String data = lines.stream().filter(line -> line.startsWith("data:")).findFirst().orElse("");
    JsonNode event = RestServer.JSON.readTree(data.substring(5));
    schemas().check(event, "Event");
    assertEquals("heartbeat", event.get("type").asText());
    assertEquals("edge lab", event.get("cluster_name").asText());
    assertEquals(41, event.get("pods").asInt());
    assertEquals(2, lines.stream().filter(line -> line.startsWith("data:")).count());
    String first = lines.stream().filter(line -> line.startsWith("id:")).findFirst().orElse("");

    HttpResponse<Stream<String>> again =
        hub.client.send(
            hub.request("/api/v1/events?types=cluster_deleted")
                .header("Authorization", "Bearer " + hub.admin)
                .header("Last-Event-ID", first.substring(3).strip())
                .build(),
            HttpResponse.BodyHandlers.ofLines());
    assertTrue(again.body().anyMatch(line -> line.equals("event: cluster_deleted")));
    hub.store.close();
    reader.join();
    assertNotEquals(0, lines.size());
  }

  @Test
  void badEventQueriesAreRefused() throws Exception {
    for (String query : List.of("cluster=x", "types=A", "since=x", "since=-1", "other=1")) {
      assertProblem(400, hub.get("/api/v1/events?" + query));
    }
  }

  @Test
  void logTellsWhatHappened() throws Exception {
    String id = cluster("a1");
    hub.call("POST", "/api/v1/clusters/" + id + "/tokens", "{\"name\":\"ci\"}");
    Await.until(
        () -> {
          try {
            return RestServer.json(hub.get("/api/v1/log")).get("items").size() == 2;
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        });
    JsonNode log = RestServer.json(hub.get("/api/v1/log?limit=1"));
    schemas().check(log.get("items").get(0), "LoggedEvent");
    JsonNode rest =
        RestServer.json(hub.get("/api/v1/log?limit=5&before=" + log.get("next").asText()));
    assertEquals("registered", rest.get("items").get(0).get("type").asText());
    assertTrue(rest.get("next").isNull());
  }

  /** Status of a request that an ordinary client would not send. */
  private int raw(String line) throws Exception {
    return RawHttp.status(
        hub.port(), line + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + hub.admin + "\r\n");
  }
}
