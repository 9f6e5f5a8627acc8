package io.pipeops.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.agents.AgentLimits;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that read or write slowly, beside others that do not. */
@Timeout(90)
class SlowClientsTest {
  private static final byte[] PIECE = "x".repeat(32 << 10).getBytes(StandardCharsets.UTF_8);

  private static AgentLimits limits(Duration stall) {
    AgentLimits standard = AgentLimits.standard();
    return new AgentLimits(
        standard.maxMessage(),
        512 << 10,
        64 << 20,
        stall,
        standard.ping(),
        standard.dead(),
        standard.requests(),
        standard.responseHead());
  }

  /** Streams without end to whoever asks for {@code /api/big}; answers the rest at once. */
  private static void serve(FakeAgent agent) {
    agent.script(
        message -> {
          if (message.path("type").asText().equals("proxy_request")) {
            if (message.at("/payload/path").asText().equals("/api/big")) {
              String id = message.path("request_id").asText();
              Thread.ofVirtual()
                  .start(
                      () -> {
                        try {
                          agent.head(id, 200, Map.of());
                          // Far beyond socket buffers, the queue and what a pause lets through.
                          for (int i = 0; i < 1_000; i++) {
                            agent.chunk(id, PIECE);
                          }
                          agent.end(id);
                        } catch (RuntimeException e) {
                          // The test is over.
                        }
                      });
            } else {
              Thread.ofVirtual().start(() -> agent.answer(message, 200, "small"));
            }
          } else {
            agent.inbox.add(message);
          }
        });
  }

  private static long get(HttpClient client, TestHub hub, FakeAgent agent) throws Exception {
    long start = System.nanoTime();
    String body =
        client
            .send(
                HttpRequest.newBuilder(hub.kube(agent.clusterId, "/api/small"))
                    .header("Authorization", "Bearer client-" + agent.clusterId)
                    .build(),
                BodyHandlers.ofString())
            .body();
    assertEquals("small", body);
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
  }

  @Test
  void stalledReaderIsCutAndOthersGoOn() throws Exception {
    try (TestHub hub = new TestHub(limits(Duration.ofSeconds(1)), HubListener.local(), "");
        FakeAgent agent = FakeAgent.registered(hub, "one");
        HttpClient client = HttpClient.newHttpClient();
        RawClient stalled = new RawClient(hub, 8192)) {
      serve(agent);
      String token = "client-" + agent.clusterId;
      stalled.get("/k8s/clusters/" + agent.clusterId + "/api/big", token);
      stalled.head();
      long start = System.nanoTime();
      StringBuilder took = new StringBuilder();
      while (hub.sessions.list().getFirst().streams() > 0) {
        took.append(' ').append(get(client, hub, agent));
      }
      long all = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      assertTrue(all < 30_000, "it took " + all + " ms to cut it, others took" + took);
      assertEquals("proxy_cancel", agent.take("proxy_cancel").path("type").asText());
      assertFalse(stalled.rest().endsWith("0\r\n\r\n"), "a cut answer has no clean end");
      get(client, hub, agent);
    }
  }

  @Test
  void slowReaderThatHurtsNobodyGetsItAll() throws Exception {
    try (TestHub hub = new TestHub(limits(Duration.ofSeconds(2)), HubListener.local(), "");
        FakeAgent agent = FakeAgent.registered(hub, "one");
        RawClient slow = new RawClient(hub)) {
      serve(agent);
      slow.get("/k8s/clusters/" + agent.clusterId + "/api/big", "client-" + agent.clusterId);
      slow.head();
      long length = 0;
      int pauses = 0;
      for (String chunk = slow.chunk(); !chunk.isEmpty(); chunk = slow.chunk()) {
        length += chunk.length();
        // Long enough in all for the queue to be full most of the time.
        if (++pauses % 10 == 0) {
          CompletableFuture.runAsync(
                  () -> {}, CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS))
              .join();
        }
      }
      assertEquals(1_000L * PIECE.length, length);
    }
  }

  @Test
  void manyStalledReadersCostTheOthersLittle() throws Exception {
    try (TestHub hub = new TestHub(limits(Duration.ofSeconds(1)), HubListener.local(), "");
        FakeAgent agent = FakeAgent.registered(hub, "one");
        HttpClient client = HttpClient.newHttpClient()) {
      serve(agent);
      RawClient[] stalled = new RawClient[10];
      for (int i = 0; i < stalled.length; i++) {
        stalled[i] = new RawClient(hub, 8192);
        stalled[i].get(
            "/k8s/clusters/" + agent.clusterId + "/api/big", "client-" + agent.clusterId);
      }
      TestHub.await(
          "the requests are in flight",
          () -> hub.sessions.list().getFirst().streams() == stalled.length);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      int served = 0;
      while (hub.sessions.list().getFirst().streams() > 0) {
        get(client, hub, agent);
        served++;
        assertTrue(System.nanoTime() < end, "stalled readers are still there");
      }
      assertTrue(served > 0);
      for (RawClient raw : stalled) {
        raw.close();
      }
    }
  }

  @Test
  void slowHeadersAreCut() throws Exception {
    HubListener strict =
        new HubListener("127.0.0.1", 0, 64, 100, Duration.ofSeconds(1), Duration.ofSeconds(30));
    try (TestHub hub = new TestHub(AgentLimits.standard(), strict, "");
        RawClient first = new RawClient(hub);
        RawClient later = new RawClient(hub);
        RawClient silent = new RawClient(hub)) {
      later.send("GET /x HTTP/1.1\r\nHost: hub\r\n\r\n");
      later.body(later.head());
      long start = System.nanoTime();
      CompletableFuture<Void> dripping =
          CompletableFuture.runAsync(
              () -> {
                try {
                  String text = "GET /x HTTP/1.1\r\nHost: hub\r\nX-A: ";
                  for (int i = 0; i < 200; i++) {
                    String byteByByte = i < text.length() ? text.substring(i, i + 1) : "a";
                    first.send(byteByByte);
                    later.send(byteByByte);
                    CompletableFuture.runAsync(
                            () -> {}, CompletableFuture.delayedExecutor(50, TimeUnit.MILLISECONDS))
                        .join();
                  }
                } catch (java.io.IOException e) {
                  // That is the point.
                }
              });
      first.rest();
      later.rest();
      silent.rest();
      long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      assertTrue(took < 8_000, "took " + took + " ms");
      dripping.get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void headersHaveALimit() throws Exception {
    try (TestHub hub = new TestHub();
        RawClient raw = new RawClient(hub)) {
      raw.send("GET /x HTTP/1.1\r\nHost: hub\r\nX-A: " + "a".repeat(40 << 10) + "\r\n\r\n");
      String head = raw.head();
      assertTrue(head.startsWith("HTTP/1.1 431"), head);
      assertFalse(head.contains("Server:"), head);
    }
  }

  @Test
  void connectionHasAShareOfRequests() throws Exception {
    HubListener few =
        new HubListener("127.0.0.1", 0, 64, 3, Duration.ofSeconds(10), Duration.ofSeconds(30));
    try (TestHub hub = new TestHub(AgentLimits.standard(), few, "");
        RawClient raw = new RawClient(hub)) {
      for (int i = 1; i <= 3; i++) {
        raw.send("GET /x HTTP/1.1\r\nHost: hub\r\n\r\n");
        String head = raw.head();
        assertEquals(i == 3, head.contains("Connection: close"), head);
        raw.body(head);
      }
      assertEquals("", raw.rest());
    }
  }

  @Test
  void unknownPathsAndMethodsTellNothing() throws Exception {
    try (TestHub hub = new TestHub()) {
      String[][] cases = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "404"},
        {"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "405"},
        {"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
        {"GET /a%2e%2e/b%2f HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"nonsense\r\n\r\n", "400"},
      };
      for (String[] one : cases) {
        try (RawClient raw = new RawClient(hub)) {
          String head = raw.send(one[0]).head();
          assertTrue(head.startsWith("HTTP/1.1 " + one[1]), one[0] + head);
          assertFalse(head.contains("etty"), head);
        }
      }
    }
  }
}
