package io.pipeops.hub.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.agents.RegisteredCluster;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** The store on the embedded H2. */
class EmbeddedStoreTest extends HubStoreContract {
  @Override
  StoreSettings fresh() {
    return StoreSettings.embedded(home);
  }

  @Test
  void databaseIsAFileOfTheStateDirectoryWithoutSecrets() throws Exception {
    assertEquals("h2", store.databaseKind());
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    String token = store.issueClientToken(cluster.id(), "ci", null).text();
    String admin = file("admin.token");
    store.close();
    assertEquals(
        "rw-------",
        PosixFilePermissions.toString(Files.getPosixFilePermissions(home.resolve("hub.mv.db"))));
    byte[] content = Files.readAllBytes(home.resolve("hub.mv.db"));
    String text = new String(content, StandardCharsets.ISO_8859_1);
    for (String secret : List.of("s3cret", token, admin, token.substring(4))) {
      assertFalse(text.contains(secret));
    }
    store = HubStore.open(settings);
  }

  @Test
  void databaseThatGaveUpIsOpenedAgainByItself() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    // As after a write that failed: the database refuses all its connections.
    try (Connection other = direct(home);
        Statement shutdown = other.createStatement()) {
      shutdown.execute("SHUTDOWN IMMEDIATELY");
    }
    Await.until(
        () -> {
          try {
            return store.find(cluster.id()).isPresent();
          } catch (StoreUnavailableException e) {
            return false;
          }
        });
    assertTrue(store.deleteCluster(cluster.id()));
  }

  /** As on a full disk, where all can be read. */
  @Test
  void databaseThatCannotWriteIsNotWellUntilItWrites() throws Exception {
    RegisteredCluster cluster = store.register(agent(), registration("a1", ""));
    store.check();
    try (Connection other = direct(home);
        Statement statement = other.createStatement()) {
      statement.execute(
          "ALTER TABLE access_token ADD CONSTRAINT disk_full CHECK (id IS NULL) NOCHECK");
      assertThrows(StoreUnavailableException.class, () -> store.issueAgentToken("other", "", null));
      for (int i = 0; i < 2; i++) {
        assertTrue(store.find(cluster.id()).isPresent());
        assertThrows(StoreUnavailableException.class, store::check);
      }
      statement.execute("ALTER TABLE access_token DROP CONSTRAINT disk_full");
    }
    store.check();
    assertTrue(store.find(cluster.id()).isPresent());
    store.issueAgentToken("other", "", null);
  }

  /** As after a loss of power, or a full disk, while the first tables were made. */
  @Test
  void tablesThatWereNeverFinishedAreMadeAnew() throws Exception {
    Path other = Files.createDirectory(home.resolve("other"));
    try (Connection connection = direct(other);
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE cluster (id UUID PRIMARY KEY)");
    }
    try (HubStore opened = HubStore.open(StoreSettings.embedded(other))) {
      opened.check();
    }
    // And as when that was found out once and written down.
    try (Connection connection = direct(other);
        Statement statement = connection.createStatement()) {
      statement.execute("UPDATE \"hub_schema_history\" SET \"success\" = FALSE");
    }
    try (HubStore opened = HubStore.open(StoreSettings.embedded(other))) {
      opened.check();
    }
  }

  private static Connection direct(Path folder) throws Exception {
    Properties user = new Properties();
    user.setProperty("user", "hub");
    user.setProperty("password", "");
    return new org.h2.Driver().connect("jdbc:h2:file:" + folder.resolve("hub"), user);
  }

  @Test
  void tablesAreFinishedAlsoWhenTheHubIsStopped() throws Exception {
    Path other = Files.createDirectory(home.resolve("other"));
    Thread.currentThread().interrupt();
    try (HubStore opened = HubStore.open(StoreSettings.embedded(other))) {
      opened.check();
    } catch (IOException e) {
      // It may refuse; it must not be broken.
    } finally {
      Thread.interrupted();
    }
    try (HubStore opened = HubStore.open(StoreSettings.embedded(other))) {
      opened.check();
    }
  }

  @Test
  void secondHubOnTheSameFolderIsRefusedClearly() {
    IOException refused = assertThrows(IOException.class, () -> HubStore.open(settings));
    assertTrue(refused.getMessage().contains(home.toString()), refused.getMessage());
    assertTrue(refused.getMessage().contains("another hub"), refused.getMessage());
    store.check();
  }

  @Test
  void folderThatCannotBeWrittenIsNamed() throws Exception {
    Path file = Files.writeString(home.resolve("file"), "");
    IOException refused =
        assertThrows(
            IOException.class, () -> HubStore.open(StoreSettings.embedded(file.resolve("state"))));
    assertTrue(refused.getMessage().contains(file.toString()), refused.getMessage());
    assertTrue(refused.getMessage().contains("state_dir"), refused.getMessage());
  }

  @Test
  void damagedDatabaseIsNamed() throws Exception {
    Path other = Files.createDirectory(home.resolve("other"));
    Files.writeString(other.resolve("hub.mv.db"), "this is not a database".repeat(1000));
    IOException refused =
        assertThrows(IOException.class, () -> HubStore.open(StoreSettings.embedded(other)));
    assertTrue(refused.getMessage().contains("hub.mv.db"), refused.getMessage());
  }

  @Test
  void firstTokensAreTakenFromTheirFolder() throws Exception {
    Path given = Files.createDirectory(home.resolve("given"));
    String agent = "X".repeat(43);
    Files.writeString(given.resolve("admin.token"), TokenKind.ADMIN.prefix() + "a".repeat(43));
    StoreSettings mounted =
        new StoreSettings(
            home.resolve("m"),
            Optional.of(given),
            "",
            "",
            "",
            2,
            settings.databaseWait(),
            settings.heartbeatWrites(),
            "");
    IOException missing = assertThrows(IOException.class, () -> HubStore.open(mounted));
    assertTrue(missing.getMessage().contains("agent.token"), missing.getMessage());
    Files.writeString(given.resolve("agent.token"), TokenKind.AGENT.prefix() + agent + "\n");
    try (HubStore first = HubStore.open(mounted)) {
      assertTrue(first.authenticateAgent(TokenKind.AGENT.prefix() + agent).isPresent());
      assertFalse(Files.exists(home.resolve("m/agent.token")));
    }
    Files.writeString(given.resolve("agent.token"), TokenKind.AGENT.prefix() + "Y".repeat(43));
    try (HubStore rotated = HubStore.open(mounted)) {
      assertFalse(rotated.authenticateAgent(TokenKind.AGENT.prefix() + agent).isPresent());
      assertTrue(rotated.authenticateAgent(TokenKind.AGENT.prefix() + "Y".repeat(43)).isPresent());
    }
  }

  @Test
  void badKeyIsRefusedWithoutShowingIt() {
    StoreSettings bad =
        new StoreSettings(
            home.resolve("k"),
            Optional.empty(),
            "",
            "",
            "",
            2,
            settings.databaseWait(),
            settings.heartbeatWrites(),
            "c2hvcnQ=");
    IOException refused = assertThrows(IOException.class, () -> HubStore.open(bad));
    assertTrue(refused.getMessage().contains("32 bytes"));
    assertFalse(refused.getMessage().contains("c2hvcnQ"));
    assertFalse(bad.toString().contains("c2hvcnQ"));
  }

  @Test
  void otherDatabasesAndPasswordsInTheUrlAreRefused() {
    for (String url : List.of("jdbc:mysql://h/d", "jdbc:postgresql://h/d?user=u&Password=x")) {
      IOException refused =
          assertThrows(
              IOException.class,
              () ->
                  HubStore.open(
                      StoreSettings.embedded(home.resolve("u")).withDatabase(url, "hub", "pw")));
      assertTrue(refused.getMessage().contains("database_url"), refused.getMessage());
    }
  }
}
