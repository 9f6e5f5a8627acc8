package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.UUID;

/** A PostgreSQL beside the cluster, with a user for a hub in a pod. */
final class HubDatabase implements AutoCloseable {
  static final String USER = "hub";

  final String password = UUID.randomUUID().toString();

  private final EmbeddedPostgres server;
  private final String host;

  private HubDatabase(EmbeddedPostgres server, String host) {
    this.server = server;
    this.host = host;
  }

  /** Skips the test where there is no PostgreSQL, or no way to it from the pods. */
  static HubDatabase start(Path dir) throws Exception {
    String host = System.getenv("TEST_HOST");
    assumeTrue(
        host != null,
        "skipped: set TEST_HOST to the name or address by which pods reach this machine");
    PostgresCalls.assumeServer();
    EmbeddedPostgres server =
        EmbeddedPostgres.builder()
            .setOverrideWorkingDirectory(dir.toFile())
            .setServerConfig("listen_addresses", "*")
            .setDataDirectoryCustomizer(data -> askForPassword(data.toPath()))
            .start();
    HubDatabase database = new HubDatabase(server, host);
    try (Connection connection = server.getPostgresDatabase().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE ROLE hub LOGIN PASSWORD '" + database.password + "'");
      statement.execute("CREATE DATABASE hub OWNER hub");
      return database;
    } catch (Exception e) {
      server.close();
      throw e;
    }
  }

  /** From wherever the hub's user comes; the others stay as they are. */
  private static void askForPassword(Path data) {
    Path rules = data.resolve("pg_hba.conf");
    try {
      Files.writeString(rules, "host all hub 0.0.0.0/0 scram-sha-256\n" + Files.readString(rules));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** As a pod reaches it. */
  String url() {
    return "jdbc:postgresql://" + host + ":" + server.getPort() + "/hub";
  }

  String host() {
    return host;
  }

  int port() {
    return server.getPort();
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
