package io.pipeops.agent.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.heartbeat.HeartbeatFact;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.protocol.Heartbeat;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeartbeatSenderTest {
  private static final Duration LONG = Duration.ofMinutes(10);
  private static final String SKIPPED = "pipeops_agent_heartbeat_skip_reconnecting_total";
  private static final String FAILED = "pipeops_agent_heartbeat_failures_total";
  private static final String SUCCESS = "pipeops_agent_heartbeat_success_total";

  private final FakeMetrics metrics = new FakeMetrics();
  private final FakeLink link = new FakeLink();
  private HeartbeatSender sender;

  private HeartbeatSender start(Duration connected, Duration other, int attempts, Duration retry) {
    sender =
        new HeartbeatSender(
            "1.2.3", metrics, new Pace(connected, other, other, attempts, retry, LONG));
    return sender;
  }

  @AfterEach
  void stop() throws InterruptedException {
    if (sender != null) {
      sender.close();
    }
  }

  private void to(LinkState state, String clusterId) {
    link.status = FakeLink.status(state, clusterId);
    sender.linkChanged(link.status);
  }

  @Test
  void sendsAtOnceWhenTheLinkIsRegisteredAndThenPeriodically() throws Exception {
    start(Duration.ofMillis(50), LONG, 10, LONG);
    sender.setLink(link);
    to(LinkState.CONNECTED, "");
    to(LinkState.CONNECTED, "c-1");
    Heartbeat first = link.next();
    assertEquals("c-1", first.clusterId());
    assertEquals("agent-1", first.agentId());
    assertEquals("healthy", first.status());
    assertEquals("connected", first.tunnelStatus());
    link.next();
    link.next();
    Await.until("counted", () -> metrics.count(SUCCESS) >= 3);
    assertEquals(0, metrics.count(FAILED));
    assertTrue(sender.lastSuccess().isPresent());
  }

  @Test
  void saysEverythingThatTheProtocolWantsEvenWithoutFacts() throws Exception {
    start(LONG, LONG, 10, LONG);
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    Map<String, Object> metadata = link.next().metadata();
    assertEquals("1.2.3", metadata.get("agent_version"));
    assertEquals("v1.28.0+k3s1", metadata.get("k8s_version"));
    assertEquals(0, metadata.get("k8s_nodes"));
    assertEquals(0, metadata.get("k8s_pods"));
    assertEquals("unknown", metadata.get("cpu_usage"));
    assertEquals("unknown", metadata.get("memory_usage"));
    assertEquals(true, metadata.get("is_private"));
    assertEquals(0, metadata.get("gateway_routes"));
  }

  @Test
  void factsAddFieldsAndLaterOnesWinButNotOverTheIdentity() throws Exception {
    start(LONG, LONG, 10, LONG);
    sender.facts =
        List.of(
            () -> Map.of("loki_url", "a", "metadata", Map.of("k8s_nodes", 3, "extra", "x")),
            () -> Map.of("loki_url", "b", "cluster_id", "evil", "metadata", Map.of("k8s_nodes", 4)),
            () -> {
              throw new IllegalStateException("broken");
            },
            () -> null);
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    Heartbeat heartbeat = link.next();
    assertEquals("b", heartbeat.extra().get("loki_url"));
    assertEquals(4, heartbeat.metadata().get("k8s_nodes"));
    assertEquals("x", heartbeat.metadata().get("extra"));
    assertEquals("c-1", heartbeat.clusterId());
  }

  @Test
  void aFactThatHangsDelaysNothingForLongAndIsNotPiledUp() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    CountDownLatch calls = new CountDownLatch(2);
    HeartbeatFact hanging =
        () -> {
          calls.countDown();
          try {
            release.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return Map.of();
        };
    start(Duration.ofMillis(10), LONG, 10, LONG);
    sender.facts = List.of(hanging, () -> Map.of("metadata", Map.of("k8s_nodes", 9)));
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    assertEquals(9, link.next().metadata().get("k8s_nodes"));
    link.next();
    assertEquals(1, calls.getCount());
    release.countDown();
  }

  @Test
  void skipsAndCountsWhileTheLinkIsDown() {
    start(LONG, Duration.ofMillis(10), 10, LONG);
    sender.setLink(link);
    to(LinkState.RECONNECTING, "c-1");
    Await.until("skipped", () -> metrics.count(SKIPPED) >= 3);
    assertEquals(0, link.tries.get());
    assertEquals(0, metrics.count(FAILED));
  }

  @Test
  void sendsAtOnceAfterAnOutage() throws Exception {
    start(LONG, LONG, 10, LONG);
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    link.next();
    to(LinkState.RECONNECTING, "c-1");
    to(LinkState.CONNECTED, "c-1");
    assertEquals("healthy", link.next().status());
  }

  @Test
  void triesAgainUpToTheLimitThenCountsOneFailure() {
    start(Duration.ofMillis(20), LONG, 3, Duration.ofMillis(1));
    link.mood = FakeLink.Mood.STALLS;
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    Await.until("failed twice", () -> metrics.count(FAILED) >= 2);
    assertTrue(link.tries.get() >= 6);
    assertTrue(sender.consecutiveFailures() >= 2);
    link.mood = FakeLink.Mood.WORKS;
    Await.until("back", () -> sender.consecutiveFailures() == 0);
  }

  @Test
  void aDroppedConnectionCancelsTheRetry() throws Exception {
    start(LONG, LONG, 10, LONG);
    link.mood = FakeLink.Mood.LOSES;
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    Await.until("first try", () -> link.tries.get() == 1);
    // A heartbeat may have been due before the connection was there.
    long before = metrics.count(SKIPPED);
    to(LinkState.RECONNECTING, "c-1");
    Await.until("cancelled", () -> metrics.count(SKIPPED) == before + 1);
    assertEquals(0, metrics.count(FAILED));
    link.mood = FakeLink.Mood.WORKS;
    to(LinkState.CONNECTED, "c-1");
    link.next();
  }

  @Test
  void isHealthyWhileThereIsNothingToSendOver() throws Exception {
    start(LONG, LONG, 1, LONG);
    HeartbeatHealth health = new HeartbeatHealth(sender);
    assertEquals(Result.Status.OK, health.execute().getStatus());
    assertTrue(health.execute().toString().contains("waiting for link"));
    sender.setLink(link);
    assertTrue(health.execute().toString().contains("waiting for link"));
    to(LinkState.CONNECTED, "c-1");
    link.next();
    Await.until("known", () -> health.execute().toString().contains("last heartbeat"));
    sender.unsetLink(link);
    assertTrue(health.execute().toString().contains("waiting for link"));
  }

  @Test
  void worksOnWithALinkThatWasReplaced() throws Exception {
    start(LONG, LONG, 10, LONG);
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    link.next();
    FakeLink other = new FakeLink();
    other.status = FakeLink.status(LinkState.DISCONNECTED, "");
    sender.setLink(other);
    sender.unsetLink(link);
    sender.linkChanged(FakeLink.status(LinkState.CONNECTED, "c-2"));
    assertEquals("c-2", other.next().clusterId());
  }

  @Test
  void endsItsThread() throws Exception {
    start(LONG, LONG, 10, LONG);
    sender.setLink(link);
    to(LinkState.CONNECTED, "c-1");
    link.next();
    sender.close();
    to(LinkState.RECONNECTING, "c-1");
    to(LinkState.CONNECTED, "c-1");
    assertFalse(sender.usableSince().isEmpty());
    assertEquals(1, link.tries.get());
  }

  @Test
  void pausesGrowTwofoldUpToTheCap() {
    Pace pace = new Pace(LONG, LONG, LONG, 10, Duration.ofSeconds(5), Duration.ofSeconds(30));
    assertEquals(Duration.ofSeconds(5), pace.pause(1));
    assertEquals(Duration.ofSeconds(10), pace.pause(2));
    assertEquals(Duration.ofSeconds(20), pace.pause(3));
    assertEquals(Duration.ofSeconds(30), pace.pause(4));
    assertEquals(Duration.ofSeconds(30), pace.pause(99));
  }
}
