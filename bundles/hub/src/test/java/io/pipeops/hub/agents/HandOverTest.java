package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.TestHub;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One replica follows another as the leader, and the cluster is served all the time. */
@Timeout(120)
class HandOverTest {
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private TestHub hub;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub(AgentLimits.standard(), HubListener.local(), "");
  }

  @AfterEach
  void stop() {
    hub.close();
    client.close();
  }

  private FakeAgent connect() throws Exception {
    return FakeAgent.connect(hub.ws(AgentEndpoint.CONTROLLER), "agent-one");
  }

  private static void register(FakeAgent agent, String metadata) {
    register(agent, "one", metadata);
  }

  private static void register(FakeAgent agent, String name, String metadata) {
    agent.sendText(
        "{\"type\":\"register\",\"request_id\":\"reg-1\",\"payload\":{\"agent_id\":\"id-"
            + name
            + "\",\"name\":\""
            + name
            + "\",\"metadata\":{"
            + metadata
            + "}},\"timestamp\":\"2026-03-04T10:15:30Z\"}");
  }

  private static String term(String lease, long term) {
    return "\"leader_lease\":\"" + lease + "\",\"leader_term\":\"" + term + "\"";
  }

  private FakeAgent leader(long term) throws Exception {
    return leader("one", term);
  }

  private FakeAgent leader(String name, long term) throws Exception {
    FakeAgent agent = FakeAgent.connect(hub.ws(AgentEndpoint.CONTROLLER), "agent-" + name);
    register(agent, name, term("ns/l", term));
    JsonNode success = agent.take("register_success");
    assertTrue(success.at("/payload/hand_over").asBoolean());
    agent.clusterId = success.at("/payload/cluster_id").asText();
    return agent;
  }

  private CompletableFuture<HttpResponse<String>> get(String cluster, String path) {
    return client.sendAsync(
        HttpRequest.newBuilder(hub.kube(cluster, path))
            .header("Authorization", "Bearer client-" + cluster)
            .build(),
        BodyHandlers.ofString());
  }

  @Test
  void aNewerLeaderGetsWhatIsNewAndTheOlderOneEndsWhatItHas() throws Exception {
    try (FakeAgent old = leader(1)) {
      CompletableFuture<HttpResponse<String>> slow = get(old.clusterId, "/api/v1/slow");
      JsonNode request = old.take("proxy_request");
      try (FakeAgent young = leader(2)) {
        assertEquals(old.clusterId, young.clusterId);
        old.take("handed_over");
        assertEquals(1, hub.sessions.list().size());
        young.serve(r -> young.answer(r, 200, "young"));
        assertEquals("young", get(old.clusterId, "/api/v1/new").get(10, TimeUnit.SECONDS).body());
        assertFalse(old.closed.isDone());
        old.answer(request, 200, "old");
        assertEquals("old", slow.get(10, TimeUnit.SECONDS).body());
        assertEquals(1000, old.closed.get(10, TimeUnit.SECONDS));
        assertEquals("young", get(old.clusterId, "/api/v1/new").get(10, TimeUnit.SECONDS).body());
      }
    }
    TestHub.await("no session is left", () -> hub.sessions.list().isEmpty());
  }

  @Test
  void whatIsOpenAtALeaderThatStandsStillEndsSoonAndElsewhereGoesOn() throws Exception {
    hub.close();
    AgentLimits limits = AgentLimits.standard();
    hub =
        new TestHub(
            new AgentLimits(
                limits.maxMessage(),
                limits.streamQueue(),
                limits.totalQueue(),
                limits.stall(),
                limits.ping(),
                Duration.ofSeconds(15),
                limits.requests(),
                limits.responseHead()),
            HubListener.local(),
            "");
    CountDownLatch wakes = new CountDownLatch(1);
    try (FakeAgent alive = leader("two", 1);
        FakeAgent still = leader("one", 1)) {
      CompletableFuture<HttpResponse<String>> slow = get(alive.clusterId, "/api/v1/slow");
      JsonNode request = alive.take("proxy_request");
      CompletableFuture<HttpResponse<String>> stuck = get(still.clusterId, "/api/v1/stuck");
      still.take("proxy_request");
      still.script(message -> awaitQuietly(wakes));
      try (FakeAgent youngerTwo = leader("two", 2);
          FakeAgent youngerOne = leader("one", 2)) {
        alive.take("handed_over");
        assertEquals(502, stuck.get(30, TimeUnit.SECONDS).statusCode());
        youngerOne.serve(r -> youngerOne.answer(r, 200, "young"));
        assertEquals("young", get(still.clusterId, "/api/v1/x").get(10, TimeUnit.SECONDS).body());
        // Its limit is over by now as well.
        assertFalse(slow.isDone());
        alive.answer(request, 200, "old");
        assertEquals("old", slow.get(10, TimeUnit.SECONDS).body());
        assertFalse(youngerTwo.closed.isDone());
      } finally {
        wakes.countDown();
      }
    }
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void anOlderLeaderWithoutStreamsIsClosedAtOnce() throws Exception {
    try (FakeAgent old = leader(1);
        FakeAgent young = leader(2)) {
      old.take("handed_over");
      assertEquals(1000, old.closed.get(10, TimeUnit.SECONDS));
      assertFalse(young.closed.isDone());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "ns/l,5",
    "ns/l,4",
    "ns/other,9",
    "ns/l,-9",
    "ns/l,x",
    "'',9",
    "ns/l,99999999999999999999"
  })
  void whoeverIsNotANewerLeaderWaits(String lease, String term) throws Exception {
    try (FakeAgent first = leader(5);
        FakeAgent second = connect()) {
      register(second, "\"leader_lease\":\"" + lease + "\",\"leader_term\":\"" + term + "\"");
      assertTrue(second.take("error").at("/payload/error").asText().contains("already connected"));
      assertFalse(first.closed.isDone());
    }
  }

  @Test
  void anAgentThatWasNotElectedIsNotReplaced() throws Exception {
    try (FakeAgent first = connect();
        FakeAgent second = connect()) {
      register(first, "");
      first.take("register_success");
      register(second, term("ns/l", 5));
      assertTrue(second.take("error").at("/payload/error").asText().contains("already connected"));
      // It is elected later, and registers anew on the same connection.
      register(first, term("ns/l", 6));
      first.take("register_success");
      try (FakeAgent third = leader(7)) {
        first.take("handed_over");
        assertFalse(third.closed.isDone());
      }
    }
  }

  @Test
  void anotherAgentNeverReplacesOneByItsTerm() throws Exception {
    try (FakeAgent first = leader(5);
        FakeAgent second = connect()) {
      second.sendText(
          "{\"type\":\"register\",\"request_id\":\"r\",\"payload\":{\"agent_id\":\"id-two\","
              + "\"name\":\"two\",\"cluster_id\":\""
              + first.clusterId
              + "\",\"metadata\":{"
              + term("ns/l", 9)
              + "}},\"timestamp\":\"2026-03-04T10:15:30Z\"}");
      second.take("error");
      assertFalse(first.closed.isDone());
    }
  }

  @Test
  void aRemovedClusterClosesBoth() throws Exception {
    try (FakeAgent old = leader(1)) {
      get(old.clusterId, "/api/v1/slow");
      old.take("proxy_request");
      try (FakeAgent young = leader(2)) {
        assertTrue(hub.sessions.disconnect(old.clusterId, "removed"));
        assertEquals(1008, old.closed.get(10, TimeUnit.SECONDS));
        assertEquals(1008, young.closed.get(10, TimeUnit.SECONDS));
      }
    }
  }

  @Test
  void noRequestFailsWhileTheLeadersChange() throws Exception {
    List<FakeAgent> agents = new ArrayList<>();
    List<String> failures = Collections.synchronizedList(new ArrayList<>());
    AtomicBoolean over = new AtomicBoolean();
    AtomicInteger done = new AtomicInteger();
    FakeAgent first = leader(1);
    agents.add(first);
    first.serve(r -> first.answer(r, 200, "ok"));
    try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < 8; i++) {
        clients.submit(
            () -> {
              while (!over.get()) {
                try {
                  HttpResponse<String> answer =
                      get(first.clusterId, "/api/v1/x").get(20, TimeUnit.SECONDS);
                  if (answer.statusCode() != 200 || !answer.body().equals("ok")) {
                    failures.add(answer.statusCode() + answer.body());
                  }
                } catch (Exception e) {
                  failures.add(e.toString());
                }
                done.incrementAndGet();
              }
            });
      }
      for (int term = 2; term < 12; term++) {
        int before = done.get();
        FakeAgent next = connect();
        agents.add(next);
        next.serve(r -> next.answer(r, 200, "ok"));
        register(next, term("ns/l", term));
        next.take("register_success");
        TestHub.await("requests go on", () -> done.get() > before + 50);
      }
      over.set(true);
    }
    assertEquals(List.of(), failures);
    for (FakeAgent agent : agents) {
      agent.close();
    }
  }
}
