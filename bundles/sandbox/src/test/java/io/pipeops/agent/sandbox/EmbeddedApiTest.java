package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a client sees over HTTP. Each test has a namespace of its own. */
class EmbeddedApiTest {
  private static final String TABLE =
      "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  private static SandboxClient client;

  @BeforeAll
  static void start() throws Exception {
    client = new SandboxClient(true);
  }

  @AfterAll
  static void stop() {
    client.close();
  }

  private static String namespace(String name) throws Exception {
    assertEquals(
        201,
        client
            .post("/api/v1/namespaces", "{\"metadata\":{\"name\":\"%s\"}}".formatted(name))
            .code());
    return "/api/v1/namespaces/" + name;
  }

  private static String configMap(String name, String value) {
    return "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"v\":\"%s\"}},\"data\":{\"k\":\"%s\"}}"
        .formatted(name, value, value);
  }

  private static final String DEPLOYMENT =
      """
      {"metadata": {"name": "d"}, "spec": {"replicas": %d, "selector": {"matchLabels": {"a": "b"}},
       "template": {"metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}}
      """;

  @Test
  void demoComesUpByItself() throws Exception {
    JsonNode deployment =
        client.await(
            "/apis/apps/v1/namespaces/demo/deployments/web",
            d -> Json.number(d, 0, "status", "readyReplicas") == 2);
    assertEquals("True", PodView.condition(deployment, "Available"));
    JsonNode endpoints =
        client.await(
            "/api/v1/namespaces/demo/endpoints/web",
            e -> e.path("subsets").path(0).path("addresses").size() == 2);
    assertEquals(
        8080, endpoints.path("subsets").path(0).path("ports").path(0).path("port").asInt());
    String page = client.get("/api/v1/namespaces/demo/services/web/proxy/a/b").body();
    assertTrue(page.contains("path /a/b"), page);
  }

  @Test
  void strangersAreRefusedExceptForHealthAndVersion() throws Exception {
    HttpClient http =
        HttpClient.newBuilder().sslContext(SandboxClient.trusting(client.api.caPem())).build();
    for (String path : List.of("/api", "/api/v1/namespaces/demo/pods", "/openapi/v3", "/nope")) {
      HttpRequest request = HttpRequest.newBuilder(URI.create(client.api.address() + path)).build();
      assertEquals(401, http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
    for (String path : List.of("/version", "/healthz", "/livez", "/readyz")) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(client.api.address() + path))
              .header("Authorization", "Bearer wrong")
              .build();
      assertEquals(200, http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
  }

  @Test
  void wrongPathsAndMethodsAnswerWithAStatus() throws Exception {
    for (String path :
        List.of(
            "/nope",
            "/api/v2",
            "/apis/none.example.com",
            "/apis/apps/v9",
            "/api/v1/nonsense",
            "/api/v1/namespaces/demo/pods/a/b",
            "/api/v1/namespaces/demo/nodes",
            "/api/v1/pods/x",
            "/apis/apps/v1/namespaces/demo/deployments/web/log")) {
      SandboxClient.Answer answer = client.get(path);
      assertEquals(404, answer.code(), path);
      assertEquals("Status", Json.text(answer.json(), "kind"), path);
      assertEquals("NotFound", answer.reason(), path);
    }
    assertEquals(405, client.put("/api/v1/namespaces/demo/pods", "{}").code());
    assertEquals(405, client.post("/api/v1/pods", "{}").code());
    assertEquals(406, client.get("/api/v1/pods", "text/html").code());
    assertEquals(
        200, client.get("/api/v1/pods", "application/vnd.kubernetes.protobuf, */*").code());
    SandboxClient.Answer missing = client.get("/apis/apps/v1/namespaces/demo/deployments/no");
    assertEquals("deployments.apps \"no\" not found", Json.text(missing.json(), "message"));
    assertEquals("deployments", Json.text(missing.json(), "details", "kind"));
  }

  @Test
  void badObjectsAreRefused() throws Exception {
    String maps = namespace("bad") + "/configmaps";
    assertEquals(400, client.post(maps, "{").code());
    assertEquals(400, client.post(maps, "[]").code());
    assertEquals(400, client.post(maps, "").code());
    assertEquals(400, client.post(maps, "[".repeat(1000)).code());
    assertEquals(422, client.post(maps, configMap("Bad_Name", "1")).code());
    assertEquals(422, client.post(maps, "{\"metadata\":{}}").code());
    assertEquals(400, client.post(maps, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"}}").code());
    assertEquals(
        400, client.post(maps, "{\"metadata\":{\"name\":\"x\"},\"data\":{\"k\":1}}").code());
    assertEquals(400, client.post(maps, "{\"metadata\":[]}").code());
    assertEquals(413, client.post(maps, configMap("big", "x".repeat(4 << 20))).code());
    assertEquals(413, client.post(maps, configMap("big", "x".repeat(2 << 20))).code());
    assertEquals(201, client.post(maps, configMap("a", "1")).code());
    assertEquals("AlreadyExists", client.post(maps, configMap("a", "1")).reason());
    assertEquals(
        404, client.post("/api/v1/namespaces/none/configmaps", configMap("a", "1")).code());
    String typo = "{\"metadata\":{\"name\":\"t\"},\"dta\":{}}";
    assertEquals(400, client.post(maps + "?fieldValidation=Strict", typo).code());
    SandboxClient.Answer warned = client.post(maps, typo);
    assertEquals(201, warned.code());
    assertFalse(warned.json().has("dta"));
    assertTrue(warned.raw().headers().firstValue("Warning").orElse("").contains("dta"));
  }

  @Test
  void updatesMindTheVersion() throws Exception {
    String maps = namespace("versions") + "/configmaps";
    JsonNode first = client.post(maps, configMap("a", "1")).json();
    JsonNode second = client.put(maps + "/a", configMap("a", "2")).json();
    assertTrue(Json.version(second) > Json.version(first));
    assertEquals(Json.uid(first), Json.uid(second));
    SandboxClient.Answer stale = client.put(maps + "/a", Json.write(first));
    assertEquals(409, stale.code());
    assertEquals("Conflict", stale.reason());
    JsonNode same = client.put(maps + "/a", configMap("a", "2")).json();
    assertEquals(Json.version(second), Json.version(same), "nothing changed, no new version");
    client.put(maps + "/a?dryRun=All", configMap("a", "3"));
    assertEquals("2", Json.text(client.get(maps + "/a").json(), "data", "k"));
    assertEquals(
        409,
        client
            .call(
                "DELETE",
                maps + "/a",
                SandboxClient.JSON,
                "{\"preconditions\":{\"uid\":\"other\"}}")
            .code());
    assertEquals("Success", Json.text(client.delete(maps + "/a").json(), "status"));
    assertEquals(404, client.delete(maps + "/a").code());
  }

  @Test
  void listsComeInPagesAndBySelectors() throws Exception {
    String maps = namespace("pages") + "/configmaps";
    for (int i = 0; i < 7; i++) {
      client.post(maps, configMap("m" + i, i % 2 == 0 ? "even" : "odd"));
    }
    client.await(maps, l -> l.path("items").size() == 8);
    List<String> names = new ArrayList<>();
    String next = "";
    do {
      JsonNode page = client.get(maps + "?limit=3&continue=" + next).json();
      page.path("items").forEach(item -> names.add(Json.name(item)));
      next = Json.text(page, "metadata", "continue");
    } while (!next.isEmpty());
    assertEquals(List.of("kube-root-ca.crt", "m0", "m1", "m2", "m3", "m4", "m5", "m6"), names);
    assertEquals(4, client.get(maps + "?labelSelector=v%3Deven").json().path("items").size());
    assertEquals(3, client.get(maps + "?labelSelector=v+in+(odd)").json().path("items").size());
    assertEquals(
        1, client.get(maps + "?fieldSelector=metadata.name%3Dm1").json().path("items").size());
    assertEquals(400, client.get(maps + "?fieldSelector=data.k%3D1").code());
    assertEquals(400, client.get(maps + "?labelSelector=(((").code());
    assertEquals(400, client.get(maps + "?continue=rubbish").code());
    assertEquals(400, client.get(maps + "?limit=many").code());
    client.delete(maps + "?labelSelector=v%3Dodd");
    assertEquals(5, client.get(maps).json().path("items").size());
  }

  @Test
  void tablesAndPartialObjectsAreRendered() throws Exception {
    client.await("/api/v1/namespaces/demo/pods", l -> l.path("items").size() == 2);
    JsonNode table = client.get("/api/v1/namespaces/demo/pods", TABLE).json();
    assertEquals("Table", Json.text(table, "kind"));
    assertEquals("Name", Json.text(table.path("columnDefinitions").path(0), "name"));
    assertEquals(2, table.path("rows").size());
    assertEquals(
        table.path("columnDefinitions").size(), table.path("rows").path(0).path("cells").size());
    assertEquals("PartialObjectMetadata", Json.text(table.path("rows").path(0), "object", "kind"));
    for (ResourceType type : new ResourceCatalog().types()) {
      if (type.stored()) {
        String base = type.group().isEmpty() ? "/api/" : "/apis/";
        String path = base + type.apiVersion() + "/" + type.plural();
        assertEquals("Table", Json.text(client.get(path, TABLE).json(), "kind"), path);
      }
    }
    JsonNode partial =
        client
            .get(
                "/api/v1/nodes", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
            .json();
    assertFalse(partial.path("items").path(0).has("spec"));
  }

  @Test
  void watchesSeeWhatHappensFromWhereTheyBegin() throws Exception {
    String maps = namespace("watched") + "/configmaps";
    JsonNode first = client.post(maps, configMap("a", "1")).json();
    try (BufferedReader lines =
        client.lines(
            maps + "?watch=1&labelSelector=v%3D1&resourceVersion=" + (Json.version(first) - 1))) {
      assertEvent(lines, "ADDED", "a");
      client.put(maps + "/a", configMap("a", "2"));
      assertEvent(lines, "DELETED", "a");
      client.put(maps + "/a", configMap("a", "1"));
      assertEvent(lines, "ADDED", "a");
      client.delete(maps + "/a");
      assertEvent(lines, "DELETED", "a");
    }
    String initial =
        "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            + "&allowWatchBookmarks=true&timeoutSeconds=1";
    client.await(maps, l -> l.path("items").size() == 1);
    try (BufferedReader lines = client.lines(maps + initial)) {
      assertEvent(lines, "ADDED", "kube-root-ca.crt");
      JsonNode bookmark = Json.MAPPER.readTree(lines.readLine());
      assertEquals("BOOKMARK", Json.text(bookmark, "type"));
      assertEquals(
          "true",
          Json.text(bookmark, "object", "metadata", "annotations", "k8s.io/initial-events-end"));
      String rest = lines.readLine();
      assertTrue(rest == null || rest.contains("BOOKMARK"), "it ends after its limit: " + rest);
    }
  }

  /** With 200 a client such as fabric8's turns to plain HTTP at once; a failure it would repeat. */
  @Test
  void aWatchByWebSocketIsDeclinedAtOnce() throws Exception {
    URI uri =
        URI.create(
            (client.api.address() + "/api/v1/namespaces/demo/pods?watch=true")
                .replaceFirst("^https", "wss"));
    HttpClient http =
        HttpClient.newBuilder().sslContext(SandboxClient.trusting(client.api.caPem())).build();
    ExecutionException refused =
        assertThrows(
            ExecutionException.class,
            () ->
                http.newWebSocketBuilder()
                    .header("Authorization", "Bearer " + client.api.token())
                    .buildAsync(uri, new WebSocket.Listener() {})
                    .get(30, TimeUnit.SECONDS));
    WebSocketHandshakeException answer =
        assertInstanceOf(WebSocketHandshakeException.class, refused.getCause());
    assertEquals(200, answer.getResponse().statusCode());
  }

  private static void assertEvent(BufferedReader lines, String type, String name) throws Exception {
    JsonNode event = Json.MAPPER.readTree(lines.readLine());
    assertEquals(type, Json.text(event, "type"));
    assertEquals(name, Json.name(event.path("object")));
  }

  @Test
  void deploymentsScaleRollAndGoWithAllTheyOwn() throws Exception {
    namespace("apps");
    String path = "/apis/apps/v1/namespaces/apps/deployments";
    assertEquals(201, client.post(path, DEPLOYMENT.formatted(1)).code());
    client.await(path + "/d", d -> Json.number(d, 0, "status", "readyReplicas") == 1);
    JsonNode scale = client.get(path + "/d/scale").json();
    assertEquals("a=b", Json.text(scale, "status", "selector"));
    client.call(
        "PATCH", path + "/d/scale", "application/merge-patch+json", "{\"spec\":{\"replicas\":3}}");
    client.await(path + "/d", d -> Json.number(d, 0, "status", "readyReplicas") == 3);
    client.call(
        "PATCH",
        path + "/d",
        "application/strategic-merge-patch+json",
        "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x:2\"}]}}}}");
    JsonNode rolled =
        client.await(
            path + "/d",
            d ->
                Json.number(d, 0, "status", "observedGeneration") == 3
                    && Json.number(d, 0, "status", "updatedReplicas") == 3
                    && Json.number(d, 0, "status", "replicas") == 3
                    && Json.number(d, 0, "status", "readyReplicas") == 3);
    assertEquals(
        "2", Json.text(rolled, "metadata", "annotations", "deployment.kubernetes.io/revision"));
    assertEquals(
        2, client.get("/apis/apps/v1/namespaces/apps/replicasets").json().path("items").size());
    client.delete(path + "/d");
    client.await("/api/v1/namespaces/apps/pods", l -> l.path("items").isEmpty());
    client.await("/apis/apps/v1/namespaces/apps/replicasets", l -> l.path("items").isEmpty());
    client.delete("/api/v1/namespaces/apps");
    client.await("/api/v1/namespaces/apps", n -> Json.text(n, "reason").equals("NotFound"));
    assertEquals(403, client.delete("/api/v1/namespaces/default").code());
  }

  @Test
  void foregroundDeletionAndOrphansAreTold() throws Exception {
    namespace("owners");
    String path = "/apis/apps/v1/namespaces/owners/deployments";
    String sets = "/apis/apps/v1/namespaces/owners/replicasets";
    client.post(path, DEPLOYMENT.formatted(1));
    client.await(path + "/d", d -> Json.number(d, 0, "status", "readyReplicas") == 1);
    client.delete(path + "/d?propagationPolicy=Orphan");
    assertEquals(404, client.get(path + "/d").code());
    assertEquals(1, client.get(sets).json().path("items").size());
    client.post(path, DEPLOYMENT.formatted(1));
    client.await(path + "/d", d -> Json.number(d, 0, "status", "readyReplicas") == 1);
    JsonNode going = client.delete(path + "/d?propagationPolicy=Foreground").json();
    assertTrue(Json.deleting(going));
    client.await(path + "/d", d -> Json.text(d, "reason").equals("NotFound"));
  }

  @Test
  void logsGoOnLineByLine() throws Exception {
    JsonNode pods =
        client.await(
            "/api/v1/namespaces/demo/pods",
            l -> l.path("items").size() == 2 && PodView.isReady(l.path("items").path(0)));
    String log = "/api/v1/namespaces/demo/pods/" + Json.name(pods.path("items").path(0)) + "/log";
    try (BufferedReader lines = client.lines(log + "?follow=true")) {
      for (int i = 1; i <= 4; i++) {
        assertTrue(lines.readLine().startsWith("line=" + i + " "));
      }
    }
    String tail = client.get(log + "?tailLines=2&timestamps=true").body();
    assertEquals(2, tail.lines().count());
    assertTrue(tail.matches("(?s)\\d{4}-\\d\\d-\\d\\dT.*Z line=.*"), tail);
    assertEquals(10, client.get(log + "?limitBytes=10").body().length());
    assertEquals(400, client.get(log + "?container=none").code());
    assertEquals(400, client.get(log + "?previous=true").code());
    assertEquals(404, client.get("/api/v1/namespaces/demo/pods/none/log").code());
  }

  @Test
  void execAndItsLikeFailAtOnceAndClearly() throws Exception {
    JsonNode pods = client.await("/api/v1/namespaces/demo/pods", l -> !l.path("items").isEmpty());
    String pod = "/api/v1/namespaces/demo/pods/" + Json.name(pods.path("items").path(0));
    for (String verb : List.of("exec?command=ls", "attach", "portforward")) {
      SandboxClient.Answer answer = client.post(pod + "/" + verb, "");
      assertEquals(501, answer.code(), verb);
      assertTrue(answer.body().contains("does not work in the sandbox"), verb);
    }
  }

  @Test
  void reviewsTokensAndUsage() throws Exception {
    String reviews = "/apis/authorization.k8s.io/v1/";
    assertTrue(
        Json.at(
                client.post(reviews + "selfsubjectaccessreviews", "{\"spec\":{}}").json(),
                "status",
                "allowed")
            .asBoolean());
    assertEquals(405, client.get(reviews + "selfsubjectaccessreviews").code());
    client.await("/api/v1/namespaces/demo/serviceaccounts/default", o -> !Json.name(o).isEmpty());
    JsonNode token =
        client.post("/api/v1/namespaces/demo/serviceaccounts/default/token", "{}").json();
    JsonNode review =
        client
            .post(
                "/apis/authentication.k8s.io/v1/tokenreviews",
                "{\"spec\":{\"token\":\"%s\"}}".formatted(Json.text(token, "status", "token")))
            .json();
    assertEquals(
        "system:serviceaccount:demo:default", Json.text(review, "status", "user", "username"));
    client.await(
        "/apis/metrics.k8s.io/v1beta1/namespaces/demo/pods", l -> l.path("items").size() == 2);
    JsonNode node = client.get("/apis/metrics.k8s.io/v1beta1/nodes/sandbox-node").json();
    assertTrue(Json.text(node, "usage", "cpu").endsWith("n"));
  }

  @Test
  void describesItself() throws Exception {
    assertEquals("34", Json.text(client.get("/version").json(), "minor"));
    assertEquals("ok", client.get("/readyz").body());
    assertTrue(client.get("/apis").json().path("groups").size() > 10);
    JsonNode aggregated =
        client
            .get("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
            .json();
    assertEquals("APIGroupDiscoveryList", Json.text(aggregated, "kind"));
    JsonNode index = client.get("/openapi/v3").json();
    for (JsonNode link : index.path("paths")) {
      JsonNode document = client.get(Json.text(link, "serverRelativeURL")).json();
      String text = document.toString();
      for (JsonNode reference : document.findValues("$ref")) {
        String name = reference.asText().replace("#/components/schemas/", "");
        assertTrue(
            document.path("components").path("schemas").has(name), name + " is not described");
      }
      assertFalse(text.isEmpty());
    }
  }
}
