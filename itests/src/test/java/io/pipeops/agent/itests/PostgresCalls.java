package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.zonky.test.db.postgres.util.LinuxUtils;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.CopyOut;
import org.postgresql.jdbc.PgConnection;

/** What a program does with a PostgreSQL at a port: queries, and a COPY in and out. */
final class PostgresCalls {
  private static final int ROWS = 50_000;
  private static final int ROW_BYTES = 500;

  private final String url;

  /** At a port of this machine that nobody else reaches. */
  PostgresCalls(int port) {
    this(port, "postgres", "postgres", "");
  }

  /** At a port of this machine that leads to the server somehow. */
  PostgresCalls(int port, String database, String user, String password) {
    this.url =
        "jdbc:postgresql://127.0.0.1:"
            + port
            + "/"
            + database
            + "?user="
            + user
            + (password.isEmpty() ? "" : "&password=" + password)
            + "&sslmode=disable&socketTimeout=120&connectTimeout=60";
  }

  /** Skips the test where the server of the tests cannot run. */
  static void assumeServer() {
    assumeTrue(
        !System.getProperty("user.name").equals("root") || LinuxUtils.isUnshareAvailable(),
        "skipped: PostgreSQL does not run as root, and unshare gives no other user here");
  }

  private Connection connect() throws SQLException {
    return DriverManager.getConnection(url);
  }

  /** About 50 MB into a table and out again, byte for byte, while another connection is asked. */
  void copyInAndOutBesideQueries() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    try (Connection copying = connect();
        Connection asking = connect()) {
      CompletableFuture<Void> copied = new CompletableFuture<>();
      CompletableFuture<Void> answered = new CompletableFuture<>();
      Thread.ofVirtual().start(() -> end(answered, () -> ask(asking, copied, asked)));
      end(copied, () -> copy(copying));
      copied.get(1, TimeUnit.SECONDS);
      answered.get(120, TimeUnit.SECONDS);
    }
    assertTrue(asked.get() > 0);
  }

  private static void end(CompletableFuture<Void> future, Callable<Void> work) {
    try {
      future.complete(work.call());
    } catch (Throwable e) {
      future.completeExceptionally(e);
    }
  }

  private static Void ask(Connection connection, CompletableFuture<Void> until, AtomicInteger asked)
      throws SQLException {
    try (PreparedStatement query = connection.prepareStatement("SELECT ?::int + 1")) {
      while (!until.isDone()) {
        int number = asked.incrementAndGet();
        query.setInt(1, number);
        try (ResultSet answer = query.executeQuery()) {
          assertTrue(answer.next());
          assertEquals(number + 1, answer.getInt(1));
        }
      }
    }
    return null;
  }

  private static Void copy(Connection connection) throws SQLException, GeneralSecurityException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("CREATE UNLOGGED TABLE copied (id int, body text)");
    }
    CopyManager manager = connection.unwrap(PgConnection.class).getCopyAPI();
    MessageDigest sent = MessageDigest.getInstance("SHA-256");
    CopyIn in = manager.copyIn("COPY copied FROM STDIN");
    Random random = new Random(1);
    byte[] body = new byte[ROW_BYTES];
    long bytes = 0;
    for (int i = 0; i < ROWS; i++) {
      random.nextBytes(body);
      byte[] row =
          (i + "\t" + HexFormat.of().formatHex(body) + "\n").getBytes(StandardCharsets.US_ASCII);
      sent.update(row);
      bytes += row.length;
      in.writeToCopy(row, 0, row.length);
    }
    assertEquals(ROWS, in.endCopy());
    MessageDigest received = MessageDigest.getInstance("SHA-256");
    CopyOut out = manager.copyOut("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT");
    for (byte[] row = out.readFromCopy(); row != null; row = out.readFromCopy()) {
      received.update(row);
      bytes -= row.length;
    }
    assertEquals(0, bytes, "bytes sent but not received");
    assertEquals(
        HexFormat.of().formatHex(sent.digest()), HexFormat.of().formatHex(received.digest()));
    return null;
  }
}
