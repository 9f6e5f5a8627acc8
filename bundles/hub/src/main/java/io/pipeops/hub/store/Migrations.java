package io.pipeops.hub.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.ResourceProvider;
import org.flywaydb.core.api.resource.LoadableResource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the tables to the form that this version needs. Flyway lies on another class loader than
 * the scripts, and a bundle has no class path to scan: the scripts are named here and handed over
 * one by one.
 */
final class Migrations {
  private static final Logger log = LoggerFactory.getLogger(Migrations.class);

  /** In the order of their versions. A script that was released never changes. */
  static final List<String> SCRIPTS = List.of("V1__clusters_and_tokens.sql", "V2__ports.sql");

  private static final String HISTORY = "hub_schema_history";

  private Migrations() {}

  /**
   * Makes the tables, or brings them up to date.
   *
   * @param embedded whether it is H2, which keeps what a script had done when it broke off
   * @return the version of the tables now
   */
  static String apply(DataSource database, boolean embedded) {
    if (embedded) {
      dropUnfinished(database);
    }
    Flyway flyway =
        Flyway.configure(Migrations.class.getClassLoader())
            .dataSource(database)
            .table(HISTORY)
            .resourceProvider(new Scripts())
            .javaMigrationClassProvider(List::of)
            .skipDefaultCallbacks(true)
            .cleanDisabled(true)
            .connectRetries(0)
            .loggers("slf4j")
            .load();
    var result = flyway.migrate();
    return result.targetSchemaVersion == null
        ? result.initialSchemaVersion
        : result.targetSchemaVersion;
  }

  /**
   * A database in which not even the first script came to its end holds nothing yet, but its tables
   * would be in the way of the next attempt for ever.
   */
  private static void dropUnfinished(DataSource database) {
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement()) {
      boolean history = exists(statement, " AND TABLE_NAME = '" + HISTORY + "'");
      boolean finished =
          history
              && any(
                  statement,
                  "SELECT 1 FROM \""
                      + HISTORY
                      + "\" WHERE \"success\" AND \"version\" IS NOT NULL");
      if (!finished && exists(statement, "")) {
        log.warn("The tables were not finished when the hub last stopped; they are made anew");
        statement.execute("DROP ALL OBJECTS");
      }
      connection.commit();
    } catch (SQLException e) {
      throw new FlywayException(e.getMessage(), e);
    }
  }

  private static boolean exists(Statement statement, String which) throws SQLException {
    return any(
        statement, "SELECT 1 FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLIC'" + which);
  }

  private static boolean any(Statement statement, String query) throws SQLException {
    try (ResultSet rows = statement.executeQuery(query)) {
      return rows.next();
    }
  }

  private static final class Scripts implements ResourceProvider {
    @Override
    public LoadableResource getResource(String name) {
      return SCRIPTS.contains(name) ? new Script(name) : null;
    }

    @Override
    public Collection<LoadableResource> getResources(String prefix, String[] suffixes) {
      return SCRIPTS.stream()
          .filter(name -> name.startsWith(prefix) && Stream.of(suffixes).anyMatch(name::endsWith))
          .<LoadableResource>map(Script::new)
          .toList();
    }
  }

  private static final class Script extends LoadableResource {
    private final String name;

    Script(String name) {
      this.name = name;
    }

    @Override
    public Reader read() {
      InputStream script = Migrations.class.getResourceAsStream("migrations/" + name);
      if (script == null) {
        throw new UncheckedIOException(new IOException("The bundle lacks migrations/" + name));
      }
      return new InputStreamReader(script, StandardCharsets.UTF_8);
    }

    @Override
    public String getAbsolutePath() {
      return name;
    }

    @Override
    public String getAbsolutePathOnDisk() {
      return name;
    }

    @Override
    public String getFilename() {
      return name;
    }

    @Override
    public String getRelativePath() {
      return name;
    }
  }
}
