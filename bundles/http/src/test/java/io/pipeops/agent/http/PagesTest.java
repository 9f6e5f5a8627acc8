package io.pipeops.agent.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.feature.Features;
import io.pipeops.agent.api.heartbeat.HeartbeatStatus;
import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.Outgoing;
import jakarta.servlet.http.HttpServlet;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** All pages over a real socket. */
class PagesTest {
  private final AgentView agent = new AgentView("1.2.3", "abc", "2026-01-01");
  private final Readiness readiness =
      new Readiness(true, Duration.ofMillis(300), Duration.ofMillis(1));
  private final ReadyServlet ready = new ReadyServlet(agent, readiness, false);
  private final HttpClient client = HttpClient.newHttpClient();
  private final Server server = new Server();
  private final ServerConnector connector = new ServerConnector(server);

  private static final class FakeLink implements Link {
    volatile LinkStatus status;

    FakeLink(LinkState state, String clusterId, String reason) {
      status =
          new LinkStatus(
              state, Instant.now(), reason, "agent-1", clusterId, "wss://hub.test", false);
    }

    @Override
    public LinkStatus status() {
      return status;
    }

    @Override
    public void deliver(Outgoing message, Duration limit) {}

    @Override
    public void register(String reason) {}
  }

  private record Fixed(List<FeatureStatus> list, boolean settled) implements Features {}

  @BeforeEach
  void start() throws Exception {
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/");
    add(context, new HealthServlet(agent), "/health");
    add(context, ready, "/ready");
    add(context, new ReadyServlet(agent, readiness, true), "/compatible");
    add(context, new VersionServlet(agent), "/version");
    add(context, new RuntimeServlet(agent), "/api/metrics/runtime");
    add(context, new FeatureFlagsServlet(agent), "/api/status/features");
    add(context, new DetailedHealthServlet(agent, readiness, true), "/api/health/detailed");
    add(context, new ConnectivityServlet(agent, readiness), "/api/status/connectivity");
    add(context, new NotFoundServlet(), "/");
    server.setHandler(context);
    server.start();
  }

  private static void add(ServletContextHandler context, HttpServlet servlet, String path) {
    context.addServlet(new ServletHolder(servlet), path);
  }

  @AfterEach
  void stop() throws Exception {
    server.stop();
    client.close();
  }

  private URI uri(String path) {
    return URI.create("http://127.0.0.1:" + connector.getLocalPort() + path);
  }

  private HttpResponse<String> send(String method, String path)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(path))
            .method(method, HttpRequest.BodyPublishers.noBody())
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  /** The body of a GET, checked to be JSON with the right type. */
  private String get(int status, String path) throws IOException, InterruptedException {
    HttpResponse<String> response = send("GET", path);
    assertEquals(status, response.statusCode(), response.body());
    assertTrue(
        response.headers().firstValue("Content-Type").orElse("").startsWith("application/json"));
    assertEquals("no-store", response.headers().firstValue("Cache-Control").orElse(""));
    try (JsonParser parser = new JsonFactory().createParser(response.body())) {
      parser.nextToken();
      parser.skipChildren();
      assertEquals(null, parser.nextToken());
    }
    return response.body();
  }

  private static HealthCheck check(Result.Status status, String message) {
    return () -> new Result(status, message);
  }

  private void settle() {
    Fixed features =
        new Fixed(
            List.of(
                new FeatureStatus(
                    "tunnel",
                    "1.0.0",
                    FeatureState.ACTIVE,
                    Instant.EPOCH,
                    "",
                    List.of(new FeatureStatus.BundleStatus("b", "1.0.0", "ACTIVE")))),
            true);
    agent.features = features;
    readiness.setFeatures(features);
  }

  private void add(String name, HealthCheck check) {
    readiness.addCheck(check, Map.of(HealthCheck.NAME, name));
  }

  @Test
  void healthIsAlwaysWell() throws Exception {
    String body = get(200, "/health");
    assertTrue(body.contains("\"status\":\"healthy\""), body);
    assertTrue(
        body.contains("\"version\":\"1.2.3\",\"connected\":false,\"registered\":false"), body);
    agent.link = new FakeLink(LinkState.CONNECTED, "c-1", "");
    body = get(200, "/health");
    assertTrue(
        body.contains("\"connected\":true,\"registered\":true,\"connection_state\":\"connected\""),
        body);
  }

  @Test
  void isNotReadyBeforeAnythingIsThere() throws Exception {
    String body = get(503, "/ready");
    assertTrue(body.contains("\"status\":\"not_ready\",\"healthy\":false"), body);
    assertTrue(body.contains("agent not connected to control plane"), body);
    assertTrue(
        body.contains("{\"name\":\"link\",\"ok\":false,\"reason\":\"the link is not there\"}"),
        body);
    assertTrue(body.contains("\"name\":\"features\",\"ok\":false"), body);
  }

  @Test
  void isReadyWhenEveryCheckIsContent() throws Exception {
    settle();
    agent.link = new FakeLink(LinkState.CONNECTED, "c-1", "");
    agent.heartbeats =
        new HeartbeatStatus() {
          @Override
          public Optional<Instant> lastSuccess() {
            return Optional.of(Instant.now().minusSeconds(3));
          }

          @Override
          public int consecutiveFailures() {
            return 0;
          }
        };
    add("link", check(Result.Status.OK, "connected"));
    add("kubernetes", check(Result.Status.WARN, "slow"));
    String body = get(200, "/ready");
    assertTrue(body.contains("\"status\":\"ready\",\"healthy\":true,\"connected\":true"), body);
    assertTrue(body.contains("\"last_heartbeat\":\""), body);
    assertTrue(body.contains("\"time_since_heartbeat\":\"3."), body);
    assertFalse(body.contains("\"reason\":\"agent"), body);
  }

  @Test
  void oneDiscontentedCheckMakesItNotReadyAndSaysWhy() throws Exception {
    settle();
    agent.link = new FakeLink(LinkState.CONNECTED, "c-1", "");
    add("link", check(Result.Status.OK, "connected"));
    HealthCheck bad = check(Result.Status.CRITICAL, "line\r\none \"two\"");
    add("kubernetes", bad);
    String body = get(503, "/ready");
    assertTrue(body.contains("\"reason\":\"kubernetes: line one \\\"two\\\"\""), body);
    readiness.removeCheck(bad);
    get(200, "/ready");
  }

  @Test
  void aCheckThatThrowsOrHangsIsNotContentAndCostsOneThread() throws Exception {
    settle();
    CountDownLatch release = new CountDownLatch(1);
    AtomicInteger calls = new AtomicInteger();
    add("link", check(Result.Status.OK, ""));
    add(
        "broken",
        () -> {
          throw new IllegalStateException("oh");
        });
    add(
        "hanging",
        () -> {
          calls.incrementAndGet();
          try {
            release.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return new Result(Result.Status.OK, "at last");
        });
    long start = System.nanoTime();
    String body = get(503, "/ready");
    assertTrue(System.nanoTime() - start < 10_000_000_000L);
    assertTrue(
        body.contains("\"hanging\",\"ok\":false,\"reason\":\"the check gives no answer\""), body);
    assertTrue(body.contains("the check failed: java.lang.IllegalStateException: oh"), body);
    get(503, "/ready");
    assertEquals(1, calls.get());
    release.countDown();
  }

  @Test
  void aNoIsKeptBackForAsLongAsAskedAndAYesComesAtOnce() throws Exception {
    settle();
    add("link", check(Result.Status.OK, "connected"));
    HealthCheck bad = check(Result.Status.CRITICAL, "away");
    add("kubernetes", bad);
    get(503, "/ready?wait=0");
    long start = System.nanoTime();
    String body = get(503, "/ready?wait=1");
    assertTrue(System.nanoTime() - start >= 1_000_000_000L);
    assertTrue(body.contains("kubernetes: away"), body);
    CompletableFuture<HttpResponse<String>> waiting = waiting();
    agent.link = new FakeLink(LinkState.CONNECTED, "c-1", "");
    assertFalse(waiting.isDone());
    readiness.removeCheck(bad);
    assertEquals(200, waiting.get(30, TimeUnit.SECONDS).statusCode());
    get(200, "/ready?wait=60");
  }

  private CompletableFuture<HttpResponse<String>> waiting() {
    return client.sendAsync(
        HttpRequest.newBuilder(uri("/ready?wait=60")).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void whoComesOnTopOfThoseThatWaitIsAnsweredAtOnce() throws Exception {
    List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
    for (int i = 0; i <= ReadyServlet.MAX_WAITING; i++) {
      all.add(waiting());
    }
    CompletableFuture.anyOf(all.toArray(CompletableFuture[]::new)).get(30, TimeUnit.SECONDS);
    assertEquals(1, all.stream().filter(CompletableFuture::isDone).count());
    get(200, "/health");
    ready.close();
    for (var each : all) {
      assertEquals(503, each.get(30, TimeUnit.SECONDS).statusCode());
    }
  }

  @Test
  void whoWaitsIsAnsweredWhenThePageGoes() throws Exception {
    CompletableFuture<HttpResponse<String>> waiting = waiting();
    ready.close();
    assertEquals(503, waiting.get(30, TimeUnit.SECONDS).statusCode());
  }

  @Test
  void aWaitThatIsNoNumberOfSecondsIsRefused() throws Exception {
    for (String wait : List.of("", "x", "-1", "61", "1.5", "99999999999999999999")) {
      String body = get(400, "/ready?wait=" + wait);
      assertTrue(body.contains("wait is not a number of seconds from 0 to 60"), body);
    }
  }

  @Test
  void compatibleModeIsAlwaysReady() throws Exception {
    String body = get(200, "/compatible");
    assertTrue(body.contains("\"status\":\"ready\""), body);
    assertTrue(body.contains("\"mode\":\"backward_compatible\",\"connected\":false"), body);
    assertTrue(body.contains("\"note\":\""), body);
  }

  @Test
  void tellsTheBuild() throws Exception {
    String body = get(200, "/version");
    assertTrue(
        body.contains(
            "\"version\":\"1.2.3\",\"git_commit\":\"abc\",\"build_date\":\"2026-01-01\",\"go_version\":\"java "),
        body);
    assertTrue(body.contains("\"full_version\":\"1.2.3 (commit abc, built 2026-01-01)\""), body);
  }

  @Test
  void statusPagesTellWhatIs() throws Exception {
    settle();
    add("kubernetes", check(Result.Status.OK, "API server answers"));
    String body = get(200, "/api/status/connectivity");
    assertTrue(body.contains("\"overall_status\":\"degraded\""), body);
    assertTrue(body.contains("\"kubernetes_api\":{\"status\":\"healthy\""), body);
    assertTrue(body.contains("\"control_plane\":{\"status\":\"disconnected\""), body);
    agent.link = new FakeLink(LinkState.CONNECTED, "c-1", "");
    body = get(200, "/api/status/connectivity");
    assertTrue(body.contains("\"overall_status\":\"healthy\""), body);
    body = get(200, "/api/status/features");
    assertTrue(body.contains("\"portainer_tunnel\":true,\"multi_port_forward\":false"), body);
    body = get(200, "/api/metrics/runtime");
    assertTrue(body.contains("\"memory\":{\"alloc_mb\":"), body);
    assertTrue(body.contains("\"cpus\":"), body);
    body = get(200, "/api/health/detailed");
    for (String key :
        List.of(
            "agent",
            "tunnel",
            "features",
            "connectivity",
            "runtime",
            "connection_health",
            "checks")) {
      assertTrue(body.contains("\"" + key + "\":"), key + " in " + body);
    }
  }

  @Test
  void otherMethodsAndOtherPathsAreRefusedAsJson() throws Exception {
    for (String method : List.of("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE")) {
      HttpResponse<String> response = send(method, "/health");
      assertEquals(405, response.statusCode(), method);
      assertEquals("GET", response.headers().firstValue("Allow").orElse(""), method);
    }
    for (String path :
        List.of("/", "/nothing", "/ws", "/dashboard", "/api/realtime/events", "/health/x")) {
      assertEquals("{\"error\":\"not found\"}", get(404, path).trim());
    }
  }

  @Test
  void writesDurationsAsTheExistingAgentDoes() {
    assertEquals("0s", GoDuration.of(Duration.ZERO));
    assertEquals("150ns", GoDuration.of(Duration.ofNanos(150)));
    assertEquals("1.5µs", GoDuration.of(Duration.ofNanos(1500)));
    assertEquals("2.25ms", GoDuration.of(Duration.ofNanos(2_250_000)));
    assertEquals("3s", GoDuration.of(Duration.ofSeconds(3)));
    assertEquals("1m0s", GoDuration.of(Duration.ofSeconds(60)));
    assertEquals("1h2m3.5s", GoDuration.of(Duration.ofMillis(3_723_500)));
    assertEquals("100h0m10s", GoDuration.of(Duration.ofSeconds(360_010)));
    assertEquals("-1.2s", GoDuration.of(Duration.ofMillis(-1200)));
  }

  @Test
  void writesAnyTextAsValidJson() throws Exception {
    byte[] json = Json.write(Map.of("k", "\u0000\u001f\"\\\ud800x\ud83d\ude00<&>\u2028"));
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      parser.nextToken();
      assertEquals("k", parser.nextFieldName());
      assertEquals("\u0000\u001f\"\\\ufffdx\ud83d\ude00<&>\u2028", parser.nextTextValue());
    }
  }
}
