package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pipeops.agent.protocol.BinaryResponse;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.RawClient;
import io.pipeops.hub.TestHub;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class KubeApiTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private TestHub hub;
  private FakeAgent agent;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub(TestHub.quick(), HubListener.local(), "");
    agent = FakeAgent.registered(hub, "one");
  }

  @AfterEach
  void stop() {
    agent.close();
    hub.close();
    client.close();
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(hub.kube(agent.clusterId, path))
        .header("Authorization", "Bearer client-" + agent.clusterId);
  }

  private HttpResponse<String> get(String path) throws Exception {
    return client.send(request(path).build(), BodyHandlers.ofString());
  }

  private static String text(JsonNode request, String field) {
    return request.path("payload").path(field).asText();
  }

  private JsonNode status(HttpResponse<String> response, int code) throws IOException {
    assertEquals(code, response.statusCode(), response.body());
    JsonNode status = JSON.readTree(response.body());
    assertEquals("Status", status.path("kind").asText());
    assertEquals("Failure", status.path("status").asText());
    assertEquals(code, status.path("code").asInt());
    return status;
  }

  @Test
  void getReachesTheClusterWithItsOwnToken() throws Exception {
    CompletableFuture<JsonNode> seen = new CompletableFuture<>();
    agent.serve(
        request -> {
          seen.complete(request);
          agent.answer(request, 200, "pods");
        });
    HttpResponse<String> response =
        client.send(
            request("/api/v1/namespaces/demo/pods?limit=5&labelSelector=a%3Db")
                .header("Accept", "application/json")
                .header("X-Forwarded-Host", "evil.example")
                .header("X-Remote-User", "root")
                .header("Impersonate-User", "root")
                .header("Keep-Alive", "5")
                .build(),
            BodyHandlers.ofString());
    assertEquals(200, response.statusCode());
    assertEquals("pods", response.body());
    assertEquals("text/plain", response.headers().firstValue("Content-Type").orElseThrow());
    assertTrue(response.headers().firstValue("Server").isEmpty());
    JsonNode request = seen.get(10, TimeUnit.SECONDS);
    assertTrue(request.path("request_id").asText().length() >= 22);
    assertEquals("GET", text(request, "method"));
    assertEquals("/api/v1/namespaces/demo/pods", text(request, "path"));
    assertEquals("limit=5&labelSelector=a%3Db", text(request, "query"));
    assertTrue(request.path("payload").path("supports_response_streaming").asBoolean());
    assertFalse(request.path("payload").has("use_streaming"));
    assertFalse(request.path("payload").has("body"));
    JsonNode headers = request.path("payload").path("headers");
    assertEquals("Bearer service-token", headers.path("Authorization").path(0).asText());
    assertEquals("application/json", headers.path("Accept").path(0).asText());
    for (String name :
        new String[] {
          "Host",
          "X-Forwarded-Host",
          "X-Remote-User",
          "Impersonate-User",
          "Keep-Alive",
          "Connection"
        }) {
      assertFalse(headers.has(name), name);
    }
  }

  @Test
  void withoutServiceTokenNoAuthorizationIsSent() throws Exception {
    hub.directory.tokens.clear();
    agent.serve(
        request ->
            agent.answer(
                request, 200, String.valueOf(request.at("/payload/headers").has("Authorization"))));
    assertEquals("false", get("/version").body());
  }

  @Test
  void apiErrorsPassWordForWord() throws Exception {
    String body = "{\"kind\":\"Status\",\"message\":\"pods \\\"x\\\" not found\",\"code\":404}";
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          agent.head(
              id,
              404,
              Map.of(
                  "Content-Type", "application/json",
                  "Content-Length", String.valueOf(body.length()),
                  "Connection", "X-Hop",
                  "X-Hop", "1",
                  "Audit-Id", "abc"));
          agent.chunk(id, body);
          agent.end(id);
        });
    HttpResponse<String> response = get("/api/v1/namespaces/demo/pods/x");
    assertEquals(404, response.statusCode());
    assertEquals(body, response.body());
    assertEquals("abc", response.headers().firstValue("Audit-Id").orElseThrow());
    assertTrue(response.headers().firstValue("X-Hop").isEmpty());
    assertEquals(1, response.headers().allValues("Content-Length").size());
  }

  @Test
  void smallBodyTravelsInlineAndLargeInChunks() throws Exception {
    ByteArrayOutputStream received = new ByteArrayOutputStream();
    CompletableFuture<JsonNode> first = new CompletableFuture<>();
    agent.script(
        message -> {
          String type = message.path("type").asText();
          if (type.equals("proxy_request")) {
            first.complete(message);
            if (message.at("/payload/body").isTextual()) {
              received.writeBytes(Base64.getDecoder().decode(message.at("/payload/body").asText()));
              agent.answer(message, 201, "inline");
            }
          } else if (type.equals("proxy_request_chunk")) {
            received.writeBytes(Base64.getDecoder().decode(message.at("/payload/data").asText()));
          } else if (type.equals("proxy_request_stream_end")) {
            agent.answer(message, 201, "streamed");
          }
        });
    HttpResponse<String> small =
        client.send(
            request("/api/v1/pods").POST(BodyPublishers.ofString("hello")).build(),
            BodyHandlers.ofString());
    assertEquals("inline", small.body());
    assertEquals("hello", received.toString(StandardCharsets.UTF_8));
    received.reset();
    byte[] large = new byte[3 << 20];
    new Random(7).nextBytes(large);
    HttpResponse<String> known =
        client.send(
            request("/api/v1/pods").PUT(BodyPublishers.ofByteArray(large)).build(),
            BodyHandlers.ofString());
    assertEquals("streamed", known.body());
    assertArrayEquals(large, received.toByteArray());
    received.reset();
    HttpResponse<String> unknown =
        client.send(
            request("/api/v1/pods")
                .POST(BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(large)))
                .build(),
            BodyHandlers.ofString());
    assertEquals(201, unknown.statusCode());
    assertArrayEquals(large, received.toByteArray());
  }

  @Test
  void answerBeforeTheBodyIsReadIsDelivered() throws Exception {
    agent.serve(request -> agent.answer(request, 413, "too large"));
    try (RawClient raw = new RawClient(hub)) {
      raw.send(
          "POST /k8s/clusters/"
              + agent.clusterId
              + "/api/v1/pods HTTP/1.1\r\nHost: hub\r\nContent-Length: 10000000\r\n"
              + "Authorization: Bearer client-"
              + agent.clusterId
              + "\r\n\r\nbeginning");
      String head = raw.head();
      assertTrue(head.startsWith("HTTP/1.1 413"), head);
      assertEquals("too large", raw.body(head));
    }
  }

  @Test
  void watchIsFlushedAndOutlivesTheIdleLimit() throws Exception {
    HubListener impatient =
        new HubListener(
            "127.0.0.1",
            0,
            64,
            100,
            java.time.Duration.ofSeconds(10),
            java.time.Duration.ofMillis(1500));
    try (TestHub quick = new TestHub(TestHub.quick(), impatient, "");
        FakeAgent watched = FakeAgent.registered(quick, "w");
        RawClient raw = new RawClient(quick)) {
      CompletableFuture<String> id = new CompletableFuture<>();
      watched.serve(request -> id.complete(request.path("request_id").asText()));
      raw.get(
          "/k8s/clusters/" + watched.clusterId + "/api/v1/pods?watch=1",
          "client-" + watched.clusterId);
      watched.head(id.get(10, TimeUnit.SECONDS), 200, Map.of("Content-Type", "application/json"));
      assertTrue(raw.head().startsWith("HTTP/1.1 200"), "the head comes before the first event");
      for (int i = 0; i < 2; i++) {
        CompletableFuture.runAsync(
                () -> {}, CompletableFuture.delayedExecutor(2000, TimeUnit.MILLISECONDS))
            .join();
        watched.chunk(id.get(), "event" + i + "\n");
        assertEquals("event" + i + "\n", raw.chunk());
      }
      watched.end(id.get());
      assertEquals("", raw.chunk());
    }
  }

  /** Some clients look into a chunk only when the whole of it is there. */
  @Test
  void eventsOfAWatchAreWholeAtOnce() throws Exception {
    CompletableFuture<String> id = new CompletableFuture<>();
    agent.serve(request -> id.complete(request.path("request_id").asText()));
    try (RawClient raw = new RawClient(hub)) {
      raw.get(
          "/k8s/clusters/" + agent.clusterId + "/api/v1/pods?limit=1&watch=True",
          "client-" + agent.clusterId);
      agent.head(id.get(10, TimeUnit.SECONDS), 200, Map.of("Content-Type", "application/json"));
      String head = raw.head();
      assertEquals(2, head.split("Transfer-Encoding: chunked\r\n", -1).length, head);
      for (int i = 0; i < 3; i++) {
        agent.chunk(id.get(), "event" + i + "\n");
        assertEquals("event" + i + "\n", raw.wholeChunk());
      }
      agent.end(id.get());
      assertEquals("", raw.wholeChunk());
      assertEquals("", raw.rest());
    }
  }

  @Test
  void aWatchThatBreaksOffDoesNotLookComplete() throws Exception {
    CompletableFuture<String> id = new CompletableFuture<>();
    agent.serve(request -> id.complete(request.path("request_id").asText()));
    try (RawClient raw = new RawClient(hub)) {
      raw.get(
          "/k8s/clusters/" + agent.clusterId + "/api/v1/pods?watch=1", "client-" + agent.clusterId);
      agent.head(id.get(10, TimeUnit.SECONDS), 200, Map.of("Content-Type", "application/json"));
      raw.head();
      agent.chunk(id.get(), "event\n");
      assertEquals("event\n", raw.wholeChunk());
      agent.vanish();
      assertEquals("", raw.rest(), "no last chunk");
    }
  }

  @Test
  void clientThatGoesAwayCancelsASilentWatch() throws Exception {
    CompletableFuture<String> id = new CompletableFuture<>();
    CompletableFuture<String> cancelled = new CompletableFuture<>();
    agent.script(
        message -> {
          if (message.path("type").asText().equals("proxy_request")) {
            id.complete(message.path("request_id").asText());
          } else if (message.path("type").asText().equals("proxy_cancel")) {
            cancelled.complete(message.path("request_id").asText());
          }
        });
    try (RawClient raw = new RawClient(hub)) {
      raw.get(
          "/k8s/clusters/" + agent.clusterId + "/api/v1/pods?watch=1", "client-" + agent.clusterId);
      agent.head(id.get(10, TimeUnit.SECONDS), 200, Map.of());
      raw.head();
    }
    assertEquals(id.get(), cancelled.get(10, TimeUnit.SECONDS));
    TestHub.await("no stream left", () -> hub.sessions.list().getFirst().streams() == 0);
  }

  @Test
  void connectionIsKeptAndPipelinedRequestsAreServed() throws Exception {
    agent.serve(request -> agent.answer(request, 200, text(request, "path")));
    String head =
        " HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer client-" + agent.clusterId + "\r\n\r\n";
    String prefix = "GET /k8s/clusters/" + agent.clusterId;
    try (RawClient raw = new RawClient(hub)) {
      for (int i = 0; i < 3; i++) {
        raw.send(prefix + "/api/a" + head + prefix + "/api/b" + head);
        assertEquals("/api/a", raw.body(raw.head()));
        assertEquals("/api/b", raw.body(raw.head()));
      }
    }
  }

  @Test
  void bufferedAndBinaryFormsAreUnderstood() throws Exception {
    byte[] large = "line of text\n".repeat(20_000).getBytes(StandardCharsets.UTF_8);
    Headers type = Headers.of("Content-Type", "text/plain");
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          switch (text(request, "path")) {
            case "/api/json" ->
                agent.send(
                    id, new ProxyResponse(200, type, ByteBuffer.wrap(large), ProxyResponse.BASE64));
            case "/api/gzip" -> agent.send(id, ProxyResponse.of(200, type, ByteBuffer.wrap(large)));
            case "/api/binary" ->
                agent.sendBinary(
                    new BinaryResponse(id, 200, type, ByteBuffer.wrap(large)).write().array());
            case "/api/packed" ->
                agent.sendBinary(
                    new BinaryResponse(
                            id,
                            200,
                            type,
                            ProxyResponse.of(200, type, ByteBuffer.wrap(large)).body())
                        .write()
                        .array());
            default -> agent.send(id, new ProxyResponse(204, Headers.EMPTY));
          }
        });
    for (String path : new String[] {"/api/json", "/api/gzip", "/api/binary", "/api/packed"}) {
      HttpResponse<byte[]> response =
          client.send(request(path).build(), BodyHandlers.ofByteArray());
      assertEquals(200, response.statusCode(), path);
      assertArrayEquals(large, response.body(), path);
    }
    assertEquals(204, get("/api/none").statusCode());
  }

  @Test
  void agentsErrorsBecomeStatusObjects() throws Exception {
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          switch (text(request, "path")) {
            case "/api/abort" ->
                agent.send(id, new ProxyResponseAbort("kubernetes API request failed: refused"));
            case "/api/error" -> agent.send(id, new ProxyError("service\r\nrequest failed"));
            case "/api/empty" -> agent.end(id);
            case "/api/status" ->
                agent.sendText(
                    "{\"type\":\"proxy_response_header\",\"request_id\":\""
                        + id
                        + "\",\"payload\":{\"status\":7}}");
            case "/api/base64" ->
                agent.sendText(
                    "{\"type\":\"proxy_response\",\"request_id\":\""
                        + id
                        + "\",\"payload\":{\"status\":200,\"body\":\"***\",\"encoding\":\"base64\"}}");
            default -> agent.chunk(id, "before its header");
          }
        });
    assertTrue(
        status(get("/api/abort"), 502).path("message").asText().contains("API request failed"));
    assertTrue(
        status(get("/api/error"), 502).path("message").asText().contains("service  request"));
    for (String path : new String[] {"/api/empty", "/api/status", "/api/base64", "/api/chunk"}) {
      status(get(path), 502);
    }
    TestHub.await("no stream left", () -> hub.sessions.list().getFirst().streams() == 0);
  }

  @Test
  void abortInTheMiddleIsNoCleanEnd() throws Exception {
    BlockingQueue<String> ids = new LinkedBlockingQueue<>();
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          agent.head(id, 200, Map.of());
          agent.chunk(id, "half");
          ids.add(id);
        });
    for (boolean vanish : new boolean[] {false, true}) {
      try (RawClient raw = new RawClient(hub)) {
        raw.get("/k8s/clusters/" + agent.clusterId + "/api/x", "client-" + agent.clusterId);
        assertTrue(raw.head().startsWith("HTTP/1.1 200"));
        assertEquals("half", raw.chunk());
        if (vanish) {
          agent.vanish();
        } else {
          agent.send(ids.take(), new ProxyResponseAbort("connection reset"));
        }
        String rest = raw.rest();
        assertFalse(rest.contains("0\r\n\r\n"), rest);
      }
    }
    status(get("/api/later"), 503);
  }

  @Test
  void agentThatDiesBeforeTheAnswerIsNotRetriedByTheClient() throws Exception {
    agent.serve(request -> agent.vanish());
    HttpResponse<String> response = get("/api/v1/pods");
    status(response, 502);
    assertTrue(response.headers().firstValue("Retry-After").isEmpty());
    HttpResponse<String> next = get("/api/v1/pods");
    status(next, 503);
    assertEquals("1", next.headers().firstValue("Retry-After").orElseThrow());
  }

  @Test
  void silentAgentTimesOutAndIsToldToCancel() throws Exception {
    CompletableFuture<String> cancelled = new CompletableFuture<>();
    agent.script(
        message -> {
          if (message.path("type").asText().equals("proxy_cancel")) {
            cancelled.complete("yes");
          }
        });
    JsonNode status = status(get("/api/v1/pods"), 504);
    assertEquals("Timeout", status.path("reason").asText());
    assertEquals("yes", cancelled.get(10, TimeUnit.SECONDS));
  }

  @Test
  void tokensAreJudged() throws Exception {
    try (FakeAgent other = FakeAgent.registered(hub, "two")) {
      String path = "/api/v1/pods";
      assertEquals(401, status(hub, agent.clusterId, path, null));
      assertEquals(401, status(hub, agent.clusterId, path, "nonsense"));
      assertEquals(401, status(hub, agent.clusterId, path, "agent-one"));
      assertEquals(403, status(hub, agent.clusterId, path, "client-" + other.clusterId));
      assertEquals(404, status(hub, "nobody", path, "client-" + other.clusterId));
      assertEquals(401, status(hub, "nobody", path, "nonsense"));
    }
  }

  private int status(TestHub hub, String cluster, String path, String token) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(hub.kube(cluster, path));
    if (token != null) {
      request.header("Authorization", "Bearer " + token);
    }
    HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
    status(response, response.statusCode());
    return response.statusCode();
  }

  @Test
  void spdyIsRefusedAtOnceAndByName() throws Exception {
    String path =
        "/k8s/clusters/" + agent.clusterId + "/api/v1/namespaces/d/pods/p/exec?command=ls";
    for (String upgrade : new String[] {"GET %s|SPDY/3.1", "POST %s|SPDY/3.1", "GET %s|spdy/4"}) {
      String[] parts = upgrade.split("\\|");
      try (RawClient raw = new RawClient(hub)) {
        raw.send(
            parts[0].formatted(path)
                + " HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: "
                + parts[1]
                + "\r\nContent-Length: 0\r\nAuthorization: Bearer client-"
                + agent.clusterId
                + "\r\n\r\n");
        String head = raw.head();
        assertTrue(head.startsWith("HTTP/1.1 501"), head);
        assertTrue(raw.read(150).contains("\"kind\":\"Status\""));
      }
    }
  }

  @Test
  void headHasNoBody() throws Exception {
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          agent.head(id, 200, Map.of("Content-Length", "42"));
          agent.end(id);
        });
    HttpResponse<String> response =
        client.send(
            request("/version").method("HEAD", BodyPublishers.noBody()).build(),
            BodyHandlers.ofString());
    assertEquals(200, response.statusCode());
    assertEquals("42", response.headers().firstValue("Content-Length").orElseThrow());
  }

  @Test
  void tooManyRequestsAreRefused() throws Exception {
    agent.serve(request -> agent.head(request.path("request_id").asText(), 200, Map.of()));
    InputStream[] watches = new InputStream[16];
    for (int i = 0; i < watches.length; i++) {
      watches[i] =
          client.send(request("/api/v1/pods").build(), BodyHandlers.ofInputStream()).body();
    }
    HttpResponse<String> response = get("/api/v1/pods");
    status(response, 429);
    assertEquals("1", response.headers().firstValue("Retry-After").orElseThrow());
    for (InputStream watch : watches) {
      watch.close();
    }
    TestHub.await("no stream left", () -> hub.sessions.list().getFirst().streams() == 0);
  }

  @Test
  void answerShorterThanItsLengthIsCut() throws Exception {
    agent.serve(
        request -> {
          String id = request.path("request_id").asText();
          agent.head(id, 200, Map.of("Content-Length", "100"));
          agent.chunk(id, "short");
          agent.end(id);
        });
    try (RawClient raw = new RawClient(hub)) {
      raw.get("/k8s/clusters/" + agent.clusterId + "/api/v1/pods", "client-" + agent.clusterId);
      // Either it was noticed in time to say so, or the body is cut.
      String head = raw.head();
      assertTrue(head.startsWith("HTTP/1.1 502") || !raw.rest().contains("0\r\n\r\n"), head);
    }
  }

  @Test
  void brokenUploadIsCancelled() throws Exception {
    CompletableFuture<String> cancelled = new CompletableFuture<>();
    CompletableFuture<String> chunk = new CompletableFuture<>();
    agent.script(
        message -> {
          switch (message.path("type").asText()) {
            case "proxy_cancel" -> cancelled.complete("yes");
            case "proxy_request_chunk" -> chunk.complete("yes");
            default -> {}
          }
        });
    try (RawClient raw = new RawClient(hub)) {
      raw.send(
          "POST /k8s/clusters/"
              + agent.clusterId
              + "/api/v1/pods HTTP/1.1\r\nHost: hub\r\nContent-Length: 10000000\r\n"
              + "Authorization: Bearer client-"
              + agent.clusterId
              + "\r\n\r\n"
              + "x".repeat(100_000));
      chunk.get(10, TimeUnit.SECONDS);
    }
    assertEquals("yes", cancelled.get(10, TimeUnit.SECONDS));
  }
}
