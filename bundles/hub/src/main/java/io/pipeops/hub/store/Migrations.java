package io.pipeops.hub.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.ResourceProvider;
import org.flywaydb.core.api.resource.LoadableResource;

/**
 * Brings the tables to the form that this version needs. Flyway lies on another class loader than
 * the scripts, and a bundle has no class path to scan: the scripts are named here and handed over
 * one by one.
 */
final class Migrations {
  /** In the order of their versions. A script that was released never changes. */
  static final List<String> SCRIPTS = List.of("V1__clusters_and_tokens.sql", "V2__ports.sql");

  private Migrations() {}

  /**
   * @return the version of the tables now
   */
  static String apply(DataSource database) {
    Flyway flyway =
        Flyway.configure(Migrations.class.getClassLoader())
            .dataSource(database)
            .table("hub_schema_history")
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
