package io.pipeops.hub.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.RegisteredCluster;
import io.pipeops.hub.agents.Registration;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the store does on every kind of database. */
abstract class HubStoreContract {
  @TempDir Path home;
  StoreSettings settings;
  HubStore store;

  /** Settings of a new, empty database. */
  abstract StoreSettings fresh() throws Exception;

  @BeforeEach
  void open() throws Exception {
    settings = fresh();
    store = HubStore.open(settings);
  }

  @AfterEach
  void close() {
    store.close();
  }

  void reopen() throws Exception {
    store.close();
    store = HubStore.open(settings);
  }

  String file(String name) throws Exception {
    return Files.readString(home.resolve(name)).strip();
  }

  AgentCredential agent() throws Exception {
    return store.authenticateAgent(file("agent.token")).orElseThrow();
  }

  static Registration registration(String agent, String cluster) {
    return new Registration(
        "edge", agent, cluster, "1.0.0", "v1.34.0", "NG", "aws", "{\"a\":1}", "s3cret", "PEM");
  }

  @Test
  void firstStartMakesTokensThatOnlyTheOwnerReads() throws Exception {
    for (String name : List.of("admin.token", "agent.token", "secrets.key")) {
      assertEquals(
          "rw-------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(home.resolve(name))),
          name);
    }
    assertTrue(file("admin.token").matches("pad_[A-Za-z0-9_-]{43}"));
    assertTrue(file("agent.token").matches("pat_[A-Za-z0-9_-]{43}"));
    assertTrue(store.authenticateAdmin(file("admin.token")).isPresent());
    assertTrue(store.authenticateAgent(file("agent.token")).isPresent());
  }

  @Test
  void tokenOfOneKindIsNothingElsewhere() throws Exception {
    assertTrue(store.authenticateAgent(file("admin.token")).isEmpty());
    assertTrue(store.authenticateAdmin(file("agent.token")).isEmpty());
    String swapped = "pad_" + file("agent.token").substring(4);
    assertTrue(store.authenticateAdmin(swapped).isEmpty());
    for (String bad : List.of("", "pad_", "x".repeat(100_000), "pad_" + "é".repeat(43), "pad_\0")) {
      assertTrue(store.authenticateAdmin(bad).isEmpty());
    }
    assertTrue(store.authenticateAdmin(null).isEmpty());
  }

  @Test
  void restartKeepsAllAndMigratesNothingTwice() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    IssuedToken token = store.issueClientToken(cluster.id(), "ci", Duration.ofDays(1));
    store.heartbeat(cluster.id(), Instant.now(), "{\"status\":\"healthy\"}");
    reopen();
    assertEquals(cluster, store.find(cluster.id()).orElseThrow());
    assertTrue(store.authorizeClient(cluster.id(), token.text()));
    assertEquals("s3cret", store.serviceToken(cluster.id()).orElseThrow());
    ClusterRecord record = store.cluster(cluster.id()).orElseThrow();
    assertEquals("{\"status\":\"healthy\"}", record.heartbeat());
    assertTrue(record.lastHeartbeat().isPresent());
    assertEquals("PEM", record.caPem());
    assertEquals("v1.34.0", record.k8sVersion());
  }

  @Test
  void registersByIdThenByAgentThenAnew() throws Exception {
    AgentCredential who = agent();
    RegisteredCluster first = store.register(who, registration("a1", ""));
    assertEquals(first.id(), store.register(who, registration("a1", "")).id());
    assertEquals(first.id(), store.register(who, registration("other", first.id())).id());
    assertEquals("other", store.find(first.id()).orElseThrow().agentId());
    RegisteredCluster second = store.register(who, registration("a2", ""));
    assertFalse(first.id().equals(second.id()));
    RegisteredCluster third = store.register(who, registration("a3", UUID.randomUUID().toString()));
    assertEquals(3, new HashSet<>(List.of(first.id(), second.id(), third.id())).size());
    assertEquals(third.id(), store.register(who, registration("a3", "../../etc")).id());
    assertEquals(3, store.clusters("", 100).size());
  }

  @Test
  void registrationWithoutSecretKeepsTheStoredOne() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    store.register(
        agent(), new Registration("edge", "a1", cluster.id(), "2", "v1", "", "", "{}", "", ""));
    assertEquals("s3cret", store.serviceToken(cluster.id()).orElseThrow());
    assertEquals("PEM", store.cluster(cluster.id()).orElseThrow().caPem());
    store.register(
        agent(), new Registration("edge", "a1", cluster.id(), "2", "v1", "", "", "{}", "new", ""));
    assertEquals("new", store.serviceToken(cluster.id()).orElseThrow());
  }

  @Test
  void sameAgentTwiceAtOnceIsOneCluster() throws Exception {
    AgentCredential who = agent();
    int callers = 16;
    CountDownLatch go = new CountDownLatch(1);
    Set<String> ids = new HashSet<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<String>> results = new ArrayList<>();
      for (int i = 0; i < callers; i++) {
        results.add(
            threads.submit(
                () -> {
                  go.await();
                  return store.register(who, registration("a1", "")).id();
                }));
      }
      go.countDown();
      for (Future<String> result : results) {
        ids.add(result.get());
      }
    }
    assertEquals(1, ids.size());
    assertEquals(1, store.clusters("", 100).size());
  }

  @Test
  void clusterOfAnotherTokenIsRefusedUntilThatIsRevoked() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    IssuedToken other = store.issueAgentToken("other", "", null);
    AgentCredential who = store.authenticateAgent(other.text()).orElseThrow();
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () -> store.register(who, registration("a1", cluster.id())));
    assertTrue(refused.getMessage().contains("another token"));
    // By agent id it does not find the other's cluster either.
    assertFalse(cluster.id().equals(store.register(who, registration("a1", "")).id()));
    assertTrue(store.revokeAgentToken(agent().id()));
    assertEquals(cluster.id(), store.register(who, registration("a1", cluster.id())).id());
  }

  @Test
  void boundTokenSpeaksForItsClusterOnly() throws Exception {
    RegisteredCluster mine = store.register(agent(), registration("a1", ""));
    RegisteredCluster other = store.register(agent(), registration("a2", ""));
    IssuedToken bound = store.issueAgentToken("bound", mine.id(), Duration.ofDays(1));
    AgentCredential who = store.authenticateAgent(bound.text()).orElseThrow();
    assertEquals(Optional.of(mine.id()), who.clusterId());
    assertThrows(
        IllegalStateException.class, () -> store.register(who, registration("a2", other.id())));
    assertEquals(mine.id(), store.register(who, registration("brand-new", "")).id());
    assertThrows(
        IllegalArgumentException.class,
        () -> store.issueAgentToken("x", UUID.randomUUID().toString(), null));
  }

  @Test
  void revokedTokenIsRefusedAtOnceAndEverywhere() throws Exception {
    AgentCredential who = agent();
    RegisteredCluster cluster = store.register(who, registration("a1", ""));
    IssuedToken client = store.issueClientToken(cluster.id(), "ci", Duration.ofDays(1));
    assertTrue(store.authorizeClient(cluster.id(), client.text()));
    assertTrue(store.revokeClientToken(cluster.id(), client.token().id()));
    assertFalse(store.authorizeClient(cluster.id(), client.text()));
    assertFalse(store.knowsClient(client.text()));
    assertTrue(store.revokeAgentToken(who.id()));
    assertTrue(store.authenticateAgent(file("agent.token")).isEmpty());
    assertThrows(
        IllegalStateException.class, () -> store.register(who, registration("a1", cluster.id())));
    reopen();
    assertTrue(store.authenticateAgent(file("agent.token")).isEmpty());
  }

  @Test
  void clientTokenIsGoodForItsClusterOnly() throws Exception {
    RegisteredCluster one = store.register(agent(), registration("a1", ""));
    RegisteredCluster two = store.register(agent(), registration("a2", ""));
    IssuedToken token = store.issueClientToken(one.id(), "ci", Duration.ofHours(1));
    assertTrue(store.authorizeClient(one.id(), token.text()));
    assertFalse(store.authorizeClient(two.id(), token.text()));
    assertTrue(store.knowsClient(token.text()));
    assertFalse(store.revokeClientToken(two.id(), token.token().id()));
    assertTrue(store.authorizeClient(one.id(), token.text()));
    assertFalse(store.authorizeClient(one.id(), file("admin.token")));
  }

  @Test
  void tokenEndsByItself() throws Exception {
    RegisteredCluster one = store.register(agent(), registration("a1", ""));
    IssuedToken token = store.issueClientToken(one.id(), "short", Duration.ofMillis(1));
    Await.until(() -> !store.authorizeClient(one.id(), token.text()));
    assertFalse(token.token().valid(Instant.now().plusSeconds(1)));
  }

  @Test
  void deletedClusterTakesItsTokensAlong() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    IssuedToken client = store.issueClientToken(cluster.id(), "ci", Duration.ofDays(1));
    assertTrue(store.authorizeClient(cluster.id(), client.text()));
    store.heartbeat(cluster.id(), Instant.now(), "{}");
    assertTrue(store.deleteCluster(cluster.id()));
    assertFalse(store.deleteCluster(cluster.id()));
    assertFalse(store.authorizeClient(cluster.id(), client.text()));
    assertTrue(store.find(cluster.id()).isEmpty());
    assertTrue(store.serviceToken(cluster.id()).isEmpty());
    store.flush();
    assertFalse(cluster.id().equals(store.register(agent(), registration("a1", "")).id()));
  }

  @Test
  void listsInPages() throws Exception {
    Set<String> made = new HashSet<>();
    for (int i = 0; i < 7; i++) {
      made.add(store.register(agent(), registration("a" + i, "")).id());
    }
    Set<String> seen = new HashSet<>();
    String after = "";
    int pages = 0;
    for (List<ClusterRecord> page = store.clusters(after, 3);
        !page.isEmpty();
        page = store.clusters(after, 3)) {
      page.forEach(cluster -> assertTrue(seen.add(cluster.id())));
      after = page.getLast().id();
      pages++;
    }
    assertEquals(made, seen);
    assertEquals(3, pages);
  }

  @Test
  void hostileTextIsStoredHarmlessly() throws Exception {
    String nasty = "a\0b\r\n\u001b[31m\ud800'; DROP TABLE cluster; --" + "x".repeat(10_000);
    RegisteredCluster cluster =
        store.register(
            agent(),
            new Registration(
                nasty,
                nasty,
                nasty,
                nasty,
                nasty,
                nasty,
                nasty,
                "{\"x\":\"\\u0000\"}",
                nasty,
                nasty));
    ClusterRecord record = store.cluster(cluster.id()).orElseThrow();
    assertTrue(record.name().startsWith("a b"));
    assertEquals(256, record.name().length());
    assertTrue(record.agentVersion().length() <= 128);
    assertFalse(record.name().contains("\n"));
    assertEquals(cluster.id(), store.register(agent(), registration(nasty, "")).id());
    store.heartbeat(cluster.id(), Instant.now(), "{\"a\":\"" + "y".repeat(100_000) + "\"}");
    store.heartbeat("not-a-uuid", Instant.now(), "{}");
    assertEquals("{\"dropped\":true}", store.cluster(cluster.id()).orElseThrow().heartbeat());
    assertThrows(
        IllegalStateException.class,
        () ->
            store.register(
                agent(),
                new Registration("n", "a", "", "", "", "", "", "x".repeat(70_000), "", "")));
    assertThrows(IllegalStateException.class, () -> store.register(agent(), registration(" ", "")));
  }

  @Test
  void secretsAreNotReadableInTheDatabase() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    reopen();
    assertEquals("s3cret", store.serviceToken(cluster.id()).orElseThrow());
    store.close();
    Files.delete(home.resolve("secrets.key"));
    store = HubStore.open(settings);
    assertTrue(store.serviceToken(cluster.id()).isEmpty());
    store.register(agent(), registration("a1", cluster.id()));
    assertEquals("s3cret", store.serviceToken(cluster.id()).orElseThrow());
  }

  @Test
  void deletedTokenFileMakesANewTokenAndEndsTheFormer() throws Exception {
    String former = file("admin.token");
    store.close();
    Files.delete(home.resolve("admin.token"));
    store = HubStore.open(settings);
    assertTrue(store.authenticateAdmin(former).isEmpty());
    assertTrue(store.authenticateAdmin(file("admin.token")).isPresent());
  }

  @Test
  void operatorsOwnTokenIsTakenOver() throws Exception {
    store.close();
    String own = "pat_" + "Z".repeat(43);
    Files.writeString(home.resolve("agent.token"), own + "\n");
    store = HubStore.open(settings);
    assertTrue(store.authenticateAgent(own).isPresent());
    store.close();
    Files.writeString(home.resolve("agent.token"), "hunter2");
    Exception refused = assertThrows(Exception.class, () -> HubStore.open(settings));
    assertTrue(refused.getMessage().contains("agent.token"), refused.getMessage());
    assertFalse(refused.getMessage().contains("hunter2"));
    Files.writeString(home.resolve("agent.token"), own);
    store = HubStore.open(settings);
  }

  @Test
  void eventsAreLoggedWithoutHeartbeats() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    store.heartbeat(cluster.id(), Instant.now(), "{}");
    store.issueClientToken(cluster.id(), "ci", Duration.ofDays(1));
    store.flush();
    List<LoggedEvent> log = store.loggedEvents(Long.MAX_VALUE, 10);
    assertEquals(
        List.of("token_created", "registered"), log.stream().map(LoggedEvent::type).toList());
    assertEquals(cluster.id(), log.get(1).clusterId());
    assertEquals(1, store.loggedEvents(log.get(0).id(), 10).size());
  }

  @Test
  void lastUseIsNoted() throws Exception {
    agent();
    store.flush();
    assertTrue(store.agentTokens("", 10).get(0).lastUsed().isPresent());
  }

  @Test
  void manyAtOnceWaitForTheFewConnections() throws Exception {
    AgentCredential who = agent();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> results = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        String name = "a" + i % 20;
        results.add(
            threads.submit(
                () -> {
                  String id = store.register(who, registration(name, "")).id();
                  store.heartbeat(id, Instant.now(), "{\"status\":\"healthy\"}");
                  assertTrue(store.serviceToken(id).isPresent());
                }));
      }
      for (Future<?> result : results) {
        result.get();
      }
    }
    store.flush();
    assertEquals(20, store.clusters("", 100).size());
  }

  @Test
  void interruptedCallerHarmsNobody() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    for (int i = 0; i < 20; i++) {
      Thread thread =
          Thread.ofVirtual()
              .start(
                  () -> {
                    Thread.currentThread().interrupt();
                    try {
                      store.register(agentUnchecked(), registration("a1", ""));
                    } catch (StoreUnavailableException e) {
                      // An interrupted wait for a connection is refused, which is all right.
                    }
                  });
      thread.join();
      assertTrue(store.find(cluster.id()).isPresent());
    }
    reopen();
    assertTrue(store.find(cluster.id()).isPresent());
  }

  private AgentCredential agentUnchecked() {
    try {
      return agent();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
