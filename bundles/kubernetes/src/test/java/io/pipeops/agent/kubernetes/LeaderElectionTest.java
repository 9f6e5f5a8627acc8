package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.Leadership;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.service.condition.Condition;

class LeaderElectionTest {
  private static final String LEASE =
      "/apis/coordination.k8s.io/v1/namespaces/pipeops-system/leases/pipeops-agent";

  @TempDir Path folder;

  private FakeApiServer server;
  private Cluster cluster;

  @BeforeEach
  void open() throws Exception {
    server = new FakeApiServer();
    server.namespace("pipeops-system/leases".replace("/leases", ""));
    server.objects.put(LEASE.substring(0, LEASE.indexOf("/leases")), new LinkedHashMap<>());
    cluster = new Cluster(folder, server.base(), Map.of());
  }

  @AfterEach
  void close() {
    cluster.close();
    server.close();
  }

  /** One replica, as the component makes it, with short times. */
  private final class Replica
      implements AutoCloseable, LeaderElection.Office, LeaderElection.Tally {
    final AtomicInteger begun = new AtomicInteger();
    final AtomicInteger ended = new AtomicInteger();
    final AtomicInteger changed = new AtomicInteger();
    final AtomicInteger failed = new AtomicInteger();
    volatile Lead lead;
    volatile boolean stoodBy;
    volatile boolean standsBy;
    final LeaderElection election;

    Replica(String identity, boolean lenient, boolean alone) {
      LeaseSettings settings =
          new LeaseSettings(
              "pipeops-agent",
              Duration.ofSeconds(1),
              Duration.ofMillis(150),
              Duration.ofMillis(700),
              Duration.ofMillis(50),
              lenient,
              alone);
      election = new LeaderElection(cluster.access, settings, identity, this, this);
      election.start();
    }

    Replica(String identity) {
      this(identity, true, false);
    }

    @Override
    public void begin(Lead begins, boolean waited) {
      lead = begins;
      stoodBy = waited;
      begun.incrementAndGet();
    }

    @Override
    public void changed(Lead changes) {
      changed.incrementAndGet();
    }

    @Override
    public void end(Lead ends) {
      lead = null;
      ended.incrementAndGet();
    }

    @Override
    public void standBy(boolean other) {
      standsBy = other;
    }

    @Override
    public void gained() {}

    @Override
    public void lost() {}

    @Override
    public void renewed(boolean done) {
      if (!done) {
        failed.incrementAndGet();
      }
    }

    void awaitLead() {
      Await.until("leads", () -> lead != null);
    }

    @Override
    public void close() {
      election.close();
    }
  }

  private Map<String, Object> spec() {
    return Json.child(server.objects.get(LEASE), "spec");
  }

  private String holder() {
    return Json.text(spec(), "holderIdentity");
  }

  /** Writes the lease as another replica would. */
  private void hold(String identity, Map<String, Object> more) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("kind", "Lease");
    Json.grow(object, "metadata").put("name", "pipeops-agent");
    Map<String, Object> spec = Json.grow(object, "spec");
    spec.put("holderIdentity", identity);
    spec.put("leaseDurationSeconds", 1);
    spec.put("renewTime", Instant.now().toString());
    spec.putAll(more);
    server.put(LEASE, object);
  }

  @Test
  void takesAFreeLeaseWithTwoCallsAndThenOnlyRenews() {
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      assertEquals(2, server.asked.size());
      assertEquals("pod-a", holder());
      assertEquals(1, spec().get("leaseDurationSeconds"));
      assertTrue(
          Json.text(spec(), "renewTime").matches("\\d{4}-\\d\\d-\\d\\dT[0-9:]{8}\\.\\d{6}Z"),
          spec().toString());
      assertEquals("pipeops-system/pipeops-agent", replica.lead.lease());
      assertTrue(replica.lead.term() > 0);
      assertFalse(replica.stoodBy);
      Await.until("renewed", () -> server.count("PUT", "/leases/") >= 3);
      assertEquals(1, server.count("GET", "/leases"));
      assertEquals("", replica.election.problem());
    }
    assertEquals("", holder(), "given back at the end");
  }

  @Test
  void standsByAndTakesOverAtOnceWhenTheLeaseIsGivenBack() {
    Replica first = new Replica("pod-a");
    first.awaitLead();
    long term = first.lead.term();
    try (Replica second = new Replica("pod-b")) {
      Await.until("follows", () -> second.election.follows().equals("pod-a"));
      Await.until("watches", () -> server.watched(LEASE));
      assertTrue(second.standsBy);
      long before = System.nanoTime();
      first.close();
      second.awaitLead();
      assertFalse(second.standsBy);
      assertTrue(System.nanoTime() - before < TimeUnit.MILLISECONDS.toNanos(900));
      assertTrue(second.lead.term() > term);
      assertTrue(second.stoodBy);
      assertEquals("pod-b", holder());
      assertEquals(1, first.ended.get());
    }
  }

  @Test
  void replacesALeaderThatIsGoneAfterTheLeasesTimeAndNotBefore() {
    hold("pod-dead", Map.of("acquireTime", Instant.now().plusSeconds(3600).toString()));
    long before = System.nanoTime();
    try (Replica replica = new Replica("pod-b")) {
      replica.awaitLead();
      assertTrue(System.nanoTime() - before >= TimeUnit.MILLISECONDS.toNanos(950));
      assertTrue(
          replica.lead.term() > Instant.now().plusSeconds(3000).toEpochMilli() * 1000,
          "the term grows even if the clock of the leader before was wrong");
    }
  }

  @Test
  void aLeaseThatNobodyHasRenewedForLongIsTakenAtOnce() {
    hold(
        "pod-dead",
        Map.of(
            "leaseDurationSeconds",
            600,
            "renewTime",
            Instant.now().minusSeconds(86_400).toString()));
    try (Replica replica = new Replica("pod-b")) {
      replica.awaitLead();
    }
  }

  @Test
  void aPodTakesItsOwnLeaseAtOnceAfterARestart() {
    hold("pod-a", Map.of("leaseDurationSeconds", 600, "leaseTransitions", 4));
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      assertEquals(4, spec().get("leaseTransitions"));
    }
  }

  @Test
  void stopsLeadingWhenSomebodyElseHasTheLease() {
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      hold("pod-x", Map.of("leaseDurationSeconds", 600));
      Await.until("lost", () -> replica.ended.get() == 1);
      Await.until("follows", () -> replica.election.follows().equals("pod-x"));
      server.delete(LEASE);
      Await.until("leads again", () -> replica.begun.get() == 2);
    }
  }

  @Test
  void takesBackALeaseThatWasEditedOrDeleted() {
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      hold("", Map.of("holderIdentity", 7, "leaseDurationSeconds", "x", "renewTime", List.of()));
      Await.until("taken back", () -> holder().equals("pod-a"));
      server.delete(LEASE);
      Await.until("made anew", () -> server.objects.containsKey(LEASE));
      Await.until("held", () -> holder().equals("pod-a"));
      assertEquals(0, replica.ended.get());
    }
  }

  @Test
  void stopsLeadingBeforeTheLeaseRunsOutWhileTheServerIsAway() {
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      long before = System.nanoTime();
      server.permanent = FakeApiServer.Fault.of(503);
      Await.until("lost", () -> replica.ended.get() == 1);
      assertTrue(System.nanoTime() - before < TimeUnit.MILLISECONDS.toNanos(1000));
      assertTrue(replica.failed.get() > 0);
      assertNotEquals("", replica.election.problem());
      server.permanent = null;
      Await.until("leads again", () -> replica.begun.get() == 2);
      assertEquals("", replica.election.problem());
    }
  }

  @Test
  void stopsLeadingWhenTheServerIsSilent() {
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      long before = System.nanoTime();
      server.silent = true;
      Await.until("lost", () -> replica.ended.get() == 1);
      assertTrue(System.nanoTime() - before < TimeUnit.MILLISECONDS.toNanos(1000));
      server.silent = false;
    }
  }

  @Test
  void theOnlyReplicaKeepsTheLeadWhileTheServerIsAway() {
    try (Replica replica = new Replica("pod-a", true, true)) {
      replica.awaitLead();
      server.permanent = FakeApiServer.Fault.of(503);
      Await.until("many failures", () -> replica.failed.get() > 25);
      assertEquals(0, replica.ended.get());
      server.permanent = null;
      Await.until("renewed", () -> replica.election.problem().isEmpty());
      hold("pod-x", Map.of("leaseDurationSeconds", 600));
      Await.until("lost", () -> replica.ended.get() == 1);
    }
  }

  @Test
  void goesOnAloneWhereLeasesAreForbidden() {
    server.forbidden = "/leases";
    try (Replica replica = new Replica("pod-a")) {
      replica.awaitLead();
      assertEquals(0, replica.lead.term());
      assertEquals("", replica.lead.lease());
      assertTrue(replica.election.problem().contains("403"), replica.election.problem());
      assertEquals(1, server.asked.size());
    }
  }

  @Test
  void doesNotLeadWithoutALeaseIfItMustHaveOne() {
    server.forbidden = "/leases";
    try (Replica replica = new Replica("pod-a", false, true)) {
      Await.until("said so", () -> replica.election.problem().contains("403"));
      assertFalse(replica.election.leads());
    }
  }

  @Test
  void pollsWhereWatchingIsForbidden() {
    server.forbidden = "watch=1";
    hold("pod-x", Map.of("leaseDurationSeconds", 600));
    try (Replica replica = new Replica("pod-b")) {
      Await.until("polls", () -> server.count("GET", "/leases/") > 2);
      hold("", Map.of());
      replica.awaitLead();
      assertEquals(1, server.count("GET", "watch=1"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n", "broken\n"})
  void readsAgainWhenAWatchFails(String line) {
    hold("pod-x", Map.of("leaseDurationSeconds", 600));
    try (Replica replica = new Replica("pod-b")) {
      Await.until("watches", () -> server.watched(LEASE));
      server.event(LEASE, line);
      Await.until("watches again", () -> server.count("GET", "watch=1") == 2);
      server.delete(LEASE);
      replica.awaitLead();
    }
  }

  @Test
  void handsOverToAReplicaThatStandsBy() throws Exception {
    try (Replica first = new Replica("pod-a")) {
      first.awaitLead();
      Lead lead = first.lead;
      try (Replica second = new Replica("pod-b")) {
        Await.until("watches", () -> server.watched(LEASE));
        assertTrue(lead.handOver(Duration.ofSeconds(20)));
        assertFalse(first.election.leads());
        assertEquals(1, first.ended.get());
        second.awaitLead();
        assertEquals("pod-b", holder());
      }
    }
    assertEquals("", holder());
  }

  @Test
  void saysThatNobodyTookTheLead() throws Exception {
    try (Replica first = new Replica("pod-a")) {
      first.awaitLead();
      assertFalse(first.lead == null || first.lead.handOver(Duration.ofMillis(200)));
      assertEquals("", holder());
    }
  }

  @Test
  void aHandOverThatTheServerDoesNotAnswerEndsInTime() throws Exception {
    try (Replica first = new Replica("pod-a")) {
      first.awaitLead();
      server.permanent = FakeApiServer.Fault.of(500);
      assertFalse(first.lead == null || first.lead.handOver(Duration.ofMillis(200)));
      assertFalse(first.election.leads());
    }
  }

  @Test
  void manyReplicasNeverLeadTogether() throws Exception {
    List<Replica> replicas = List.of(new Replica("p1"), new Replica("p2"), new Replica("p3"));
    try {
      for (int round = 0; round < 4; round++) {
        Await.until("one leads", () -> replicas.stream().anyMatch(r -> r.lead != null));
        assertEquals(1, replicas.stream().filter(r -> r.lead != null).count());
        Map<String, Object> present = new LinkedHashMap<>(server.objects.get(LEASE));
        String was = holder();
        hold("somebody", Map.of());
        Await.until(
            "it lost", () -> replicas.stream().noneMatch(r -> r.lead != null) || holder() != was);
        assertNotEquals(present, server.objects.get(LEASE));
      }
    } finally {
      CompletableFuture.runAsync(() -> replicas.forEach(Replica::close)).get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void theComponentPublishesTheLeadAndTakesItBack() {
    Fakes.Context context = new Fakes.Context();
    LeaderComponent component =
        new LeaderComponent(
            context.context,
            Fakes.config(LeaderConfig.class, Map.of("election", "always")),
            cluster.access,
            () -> {},
            new Fakes.NoMetrics(),
            "pod-a");
    Await.until("published", () -> context.has(Leadership.class) && context.has(Condition.class));
    assertEquals(Result.Status.OK, component.execute().getStatus());
    assertEquals("pod-a", holder());
    Object lead = context.services.getFirst();
    component.modified(
        Fakes.config(LeaderConfig.class, Map.of("election", "always", "replicas", "2")));
    assertSame(lead, context.services.getFirst(), "another pace is no other lead");
    component.modified(Fakes.config(LeaderConfig.class, Map.of("election", "never")));
    assertEquals("", holder());
    assertTrue(context.has(Leadership.class));
    assertEquals("leads without an election", message(component));
    component.modified(Fakes.config(LeaderConfig.class, Map.of("election", "always")));
    Await.until("elected again", () -> message(component).equals("leads"));
    assertEquals("pod-a", holder());
    component.close();
    assertTrue(context.services.isEmpty());
    assertEquals("", holder());
  }

  private static String message(LeaderComponent component) {
    return component.execute().iterator().next().getMessage();
  }

  @ParameterizedTest
  @ValueSource(strings = {"never", "auto"})
  void leadsAtOnceWhereNobodyElects(String mode) throws Exception {
    Fakes.Context context = new Fakes.Context();
    // A kubeconfig was set, so this is no pod.
    LeaderComponent component =
        new LeaderComponent(
            context.context,
            Fakes.config(LeaderConfig.class, Map.of("election", mode)),
            cluster.access,
            () -> {},
            new Fakes.NoMetrics(),
            "pod-a");
    Leadership lead =
        context.services.stream()
            .filter(Leadership.class::isInstance)
            .map(Leadership.class::cast)
            .findFirst()
            .orElseThrow();
    assertEquals(0, lead.term());
    assertFalse(lead.handOver(Duration.ofSeconds(20)));
    assertTrue(context.has(Condition.class));
    assertEquals(0, server.asked.size());
    component.close();
  }

  @Test
  void aPodIsKnownByItsName() {
    assertEquals("agent-7f", LeaderComponent.identity(Map.of("POD_NAME", "agent-7f")));
    assertNotEquals(LeaderComponent.identity(Map.of()), LeaderComponent.identity(Map.of()));
  }

  @Test
  void timesThatDoNotFitTogetherAreMadeToFit() {
    LeaseSettings settings =
        LeaseSettings.of(
            Fakes.config(LeaderConfig.class, Map.of("lease_seconds", "6", "renew_seconds", "600")));
    assertEquals(Duration.ofSeconds(3), settings.renew());
    assertEquals(Duration.ofSeconds(5), settings.deadline());
    assertTrue(settings.renew().plus(settings.retry()).compareTo(settings.deadline()) < 0);
  }
}
