package io.pipeops.hub.store;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.flywaydb.core.api.FlywayException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A few connections to the embedded H2 or to PostgreSQL, and transactions on them. A connection
 * that broke is replaced by the next use of the database; nothing needs to be restarted.
 */
final class Database implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Database.class);
  private static final int ATTEMPTS = 4;

  /** What happens in one transaction. It may run again when another one was in its way. */
  @FunctionalInterface
  interface Work<T> {
    T run(Connection connection) throws SQLException;
  }

  private final HikariDataSource pool;
  private final String kind;
  private final String name;
  private volatile boolean failing;

  private Database(HikariDataSource pool, String kind, String name) {
    this.pool = pool;
    this.kind = kind;
    this.name = name;
  }

  /**
   * Opens the database and brings its tables up to date.
   *
   * @throws IOException if that is not possible; the message says why and what to do
   */
  static Database open(StoreSettings settings, StateDirectory state) throws IOException {
    boolean embedded = settings.databaseUrl().isBlank();
    String name = embedded ? state.file("hub.mv.db").toString() : address(settings.databaseUrl());
    HikariConfig config = new HikariConfig();
    config.setDataSource(embedded ? embedded(state) : postgresql(settings));
    config.setPoolName("hub-store");
    config.setAutoCommit(false);
    config.setMaximumPoolSize(Math.max(1, settings.databaseConnections()));
    // One stays open: H2 closes its file with the last connection.
    config.setMinimumIdle(1);
    config.setConnectionTimeout(Math.max(250, settings.databaseWait().toMillis()));
    config.setValidationTimeout(Math.clamp(settings.databaseWait().toMillis(), 250, 5000));
    config.setInitializationFailTimeout(1);
    HikariDataSource pool = null;
    try {
      // A server may be away for long, and whoever stops the hub meanwhile must not wait for that.
      HikariDataSource opened =
          embedded ? undisturbed(() -> new HikariDataSource(config)) : new HikariDataSource(config);
      pool = opened;
      Database database = new Database(pool, embedded ? "h2" : "postgresql", name);
      String version = undisturbed(() -> Migrations.apply(opened, embedded));
      if (embedded) {
        state.hide("hub.mv.db");
      }
      log.info("Database is open kind={} database={} tables={}", database.kind, name, version);
      return database;
    } catch (IOException e) {
      pool.close();
      throw e;
    } catch (FlywayException | com.zaxxer.hikari.pool.HikariPool.PoolInitializationException e) {
      if (pool != null) {
        pool.close();
      }
      throw new IOException(
          "Cannot open database %s: %s. %s"
              .formatted(
                  name,
                  reason(e),
                  embedded
                      ? "Check that the disk is not full and that no other hub uses this state_dir"
                      : "Check database_url, database_user, database_password and that the server"
                          + " is up"),
          e);
    }
  }

  private static DriverDataSource embedded(StateDirectory state) throws IOException {
    String path = state.file("hub").toString();
    if (path.indexOf(';') >= 0) {
      throw new IOException("state_dir must not contain a semicolon: " + state.path());
    }
    Properties properties = new Properties();
    properties.setProperty("user", "hub");
    properties.setProperty("password", "");
    // WRITE_DELAY=0: a token that was shown must be known after a crash.
    return new DriverDataSource(
        new org.h2.Driver(),
        "jdbc:h2:file:" + path + ";DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0;CACHE_SIZE=4096",
        properties);
  }

  private static DriverDataSource postgresql(StoreSettings settings) throws IOException {
    String url = settings.databaseUrl().strip();
    if (!url.startsWith("jdbc:postgresql:")) {
      throw new IOException(
          "database_url must begin with jdbc:postgresql: or be empty for the embedded database");
    }
    if (url.toLowerCase(Locale.ROOT).contains("password=")) {
      throw new IOException("database_url must not hold a password: use database_password");
    }
    Properties properties = new Properties();
    properties.setProperty("user", settings.databaseUser());
    properties.setProperty("password", settings.databasePassword());
    properties.setProperty("ApplicationName", "pipeops-hub");
    properties.setProperty("tcpKeepAlive", "true");
    properties.setProperty("connectTimeout", "5");
    properties.setProperty("loginTimeout", "0");
    properties.setProperty("socketTimeout", "20");
    // Values of a failed statement may be data that does not belong in a log.
    properties.setProperty("logServerErrorDetail", "false");
    return new DriverDataSource(new org.postgresql.Driver(), url, properties);
  }

  /** The address without options, which may name files or users. */
  private static String address(String url) {
    int options = url.indexOf('?');
    return options < 0 ? url : url.substring(0, options);
  }

  /** {@code h2} or {@code postgresql}. */
  String kind() {
    return kind;
  }

  /**
   * Runs one transaction: commits when the work returns, else rolls back. Runs it again when the
   * database asks for that (a deadlock, a row that appeared meanwhile). The caller may be
   * interrupted: it waits nevertheless, which the limits of the connections bound.
   *
   * @throws StoreUnavailableException if the database failed
   */
  <T> T transaction(Work<T> work) {
    T result = undisturbed(() -> attempt(work));
    recovered();
    return result;
  }

  /**
   * Like {@link #transaction}, for what only reads. That works on a full disk too, so it says
   * nothing about the end of a failure.
   */
  <T> T query(Work<T> work) {
    return undisturbed(() -> attempt(work));
  }

  /**
   * Asks for a sign of life; after a failure, for one that it writes again.
   *
   * @throws StoreUnavailableException if there is none
   */
  void check() {
    if (failing) {
      transaction(Database::touch);
    } else {
      query(Database::look);
    }
  }

  private static boolean look(Connection connection) throws SQLException {
    try (PreparedStatement query = connection.prepareStatement("SELECT 1");
        ResultSet rows = query.executeQuery()) {
      return rows.next();
    }
  }

  /** A change that changes nothing, but is written. */
  private static int touch(Connection connection) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE access_token SET kind = kind WHERE kind = 'admin'")) {
      return update.executeUpdate();
    }
  }

  /**
   * An interrupt closes the socket or file that the thread is using, for H2 the file that all
   * share, and leaves tables half made. So the work is done on a thread that no one else knows.
   */
  private static <T> T undisturbed(Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread.ofVirtual().name("hub-store").start(task);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException failure -> throw failure;
        case Error error -> throw error;
        default -> throw new IllegalStateException(e.getCause());
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private <T> T attempt(Work<T> work) {
    for (int attempt = 1; ; attempt++) {
      boolean begun = false;
      boolean committing = false;
      try (Connection connection = pool.getConnection()) {
        begun = true;
        try {
          T result = work.run(connection);
          committing = true;
          connection.commit();
          return result;
        } catch (SQLException | RuntimeException e) {
          rollBack(connection);
          if (e instanceof SQLException failure && !again(failure)) {
            renew(connection);
          }
          throw e;
        }
      } catch (SQLException e) {
        // A connection that died while it was idle is told only by its use: another one, then. Not
        // when the commit was on its way, because nobody knows whether it arrived.
        boolean stale = begun && !committing && broken(e);
        if (attempt < ATTEMPTS && (stale || again(e))) {
          continue;
        }
        throw unavailable(e);
      }
    }
  }

  private static void rollBack(Connection connection) {
    try {
      connection.rollback();
    } catch (SQLException e) {
      log.debug("Roll-back failed: {}", e.getMessage());
    }
  }

  /**
   * Ends a connection after an error that should not be. An embedded database that could not write
   * (a full disk, say) refuses everything until all its connections are closed; the next use opens
   * its file again.
   */
  private void renew(Connection connection) {
    pool.evictConnection(connection);
    if (kind.equals("h2")) {
      pool.getHikariPoolMXBean().softEvictConnections();
    }
  }

  private static boolean again(SQLException e) {
    String state = e.getSQLState();
    return state != null
        && (state.equals("40001") // serialization failure
            || state.equals("40P01") // deadlock, PostgreSQL
            || state.equals("HYT00") // lock timeout, H2
            || state.equals("90131") // row was changed by another transaction, H2
            || state.equals("23505")); // unique: what was looked for and not found is there now
  }

  private static boolean broken(SQLException e) {
    String state = e.getSQLState();
    return state != null
        && (state.startsWith("08") // connection exception
            || state.startsWith("57P0") // the server stops, PostgreSQL
            || state.equals("90007") // object is closed, H2
            || state.equals("90067") // connection is broken, H2
            || state.equals("90098") // database was closed, H2
            || state.equals("90121")); // database is closing, H2
  }

  private void recovered() {
    if (failing) {
      failing = false;
      log.info("Database works again database={}", name);
    }
  }

  private StoreUnavailableException unavailable(SQLException e) {
    String reason = reason(e);
    if (!failing) {
      failing = true;
      log.warn("Database fails, every use tries again database={} reason={}", name, reason);
    }
    return new StoreUnavailableException(
        "The hub's database %s cannot be used: %s".formatted(name, reason), e);
  }

  /** The innermost message, on one line and without the statement that H2 appends. */
  private static String reason(Throwable e) {
    Throwable cause = e;
    for (int depth = 0; cause.getCause() != null && depth < 16; depth++) {
      cause = cause.getCause();
    }
    String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    int statement = message.indexOf("; SQL statement");
    String text = statement < 0 ? message : message.substring(0, statement);
    text = text.replaceAll("\\p{Cntrl}+", " ").strip();
    return text.length() > 300 ? text.substring(0, 300) : text;
  }

  @Override
  public void close() {
    pool.close();
  }
}
