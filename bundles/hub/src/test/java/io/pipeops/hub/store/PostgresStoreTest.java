package io.pipeops.hub.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.RegisteredCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The store on a real PostgreSQL, if this machine has one. */
class PostgresStoreTest extends HubStoreContract {
  private static final AtomicInteger DATABASES = new AtomicInteger();
  private static PostgresServer server;

  @BeforeAll
  static void start() throws Exception {
    PostgresServer.missing().ifPresent(reason -> assumeTrue(false, "Skipped: " + reason));
    server = PostgresServer.start();
  }

  @AfterAll
  static void stop() throws Exception {
    if (server != null) {
      server.close();
    }
  }

  @Override
  StoreSettings fresh() throws Exception {
    StoreSettings embedded = StoreSettings.embedded(home);
    return new StoreSettings(
        home,
        Optional.empty(),
        server.database("hub" + DATABASES.incrementAndGet()),
        "hub",
        "not-needed",
        2,
        Duration.ofSeconds(30),
        Duration.ofMillis(100),
        embedded.secretKey());
  }

  @Test
  void lossOfTheDatabaseIsToldAndOverByItself() throws Exception {
    assertEquals("postgresql", store.databaseKind());
    AgentCredential who = agent();
    RegisteredCluster cluster = store.register(who, registration("a1", ""));
    settings =
        new StoreSettings(
            home,
            Optional.empty(),
            settings.databaseUrl(),
            "hub",
            "not-needed",
            2,
            Duration.ofSeconds(1),
            Duration.ofMillis(100),
            "");
    reopen();
    server.down();
    try {
      StoreUnavailableException lost =
          assertThrows(StoreUnavailableException.class, () -> store.find(cluster.id()));
      assertTrue(lost.getMessage().contains("127.0.0.1"), lost.getMessage());
      assertFalse(lost.getMessage().contains("not-needed"));
      // A heartbeat needs no database: it is known at once and written when that is back.
      store.heartbeat(cluster.id(), Instant.now(), "{\"status\":\"healthy\"}");
    } finally {
      server.up();
    }
    Await.until(
        () -> {
          try {
            return store.find(cluster.id()).isPresent();
          } catch (StoreUnavailableException e) {
            return false;
          }
        });
    reopen();
    assertEquals("{\"status\":\"healthy\"}", store.cluster(cluster.id()).orElseThrow().heartbeat());
  }

  @Test
  void twoHubsRegisterTheSameAgentOnce() throws Exception {
    AgentCredential who = agent();
    StoreSettings beside =
        StoreSettings.embedded(home.resolve("beside"))
            .withDatabase(settings.databaseUrl(), "hub", "");
    // Hubs on one database are given the same first tokens; else the newer one replaces them.
    for (String name : List.of("admin.token", "agent.token")) {
      Files.createDirectories(home.resolve("beside"));
      Files.copy(home.resolve(name), home.resolve("beside").resolve(name));
    }
    try (HubStore other = HubStore.open(beside)) {
      Thread[] threads = new Thread[8];
      for (int i = 0; i < threads.length; i++) {
        HubStore one = i % 2 == 0 ? store : other;
        threads[i] = Thread.ofVirtual().start(() -> one.register(who, registration("same", "")));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertEquals(1, store.clusters("", 10).size());
  }

  @Test
  void serverThatIsNotThereIsNamedWithoutThePassword() {
    IOException refused =
        assertThrows(
            IOException.class,
            () ->
                HubStore.open(
                    StoreSettings.embedded(home.resolve("beside"))
                        .withDatabase("jdbc:postgresql://127.0.0.1:1/hub", "u", "geheim")));
    assertTrue(refused.getMessage().contains("127.0.0.1:1"), refused.getMessage());
    assertFalse(refused.getMessage().contains("geheim"));
  }
}
