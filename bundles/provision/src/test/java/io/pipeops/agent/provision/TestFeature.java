package io.pipeops.agent.provision;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A feature made on the fly.
 *
 * @param name its name
 * @param version its version
 * @param bundles its bundles
 * @param requires features it needs
 * @param configurations text of its configurations
 */
public record TestFeature(
    String name,
    String version,
    List<TestBundle> bundles,
    List<String> requires,
    String configurations) {
  public static TestFeature of(String name, String version, TestBundle... bundles) {
    return new TestFeature(name, version, List.of(bundles), List.of(), "{}");
  }

  public TestFeature needing(String... features) {
    return new TestFeature(name, version, bundles, List.of(features), configurations);
  }

  public TestFeature configured(String text) {
    return new TestFeature(name, version, bundles, requires, text);
  }

  public String file() {
    return "feature-" + name + "-" + version + ".json";
  }

  public String json() {
    return """
    {
      "id": "io.pipeops.agent:feature-%s:%s",
      "description": "made by a test",
      "bundles": [%s],
      "configurations": %s,
      "extensions": {"agent": {"kind": "optional", "type": "json",
        "json": {"programs": ["agent", "sandbox"], "enabled": true, "requires": [%s]}}}
    }
    """
        .formatted(
            name,
            version,
            bundles.stream()
                .map(
                    b ->
                        "{\"id\": \"io.pipeops.agent:%s:%s\", \"sha256\": \"%s\"}"
                            .formatted(b.symbolicName(), b.version(), b.sha256()))
                .collect(Collectors.joining(", ")),
            configurations,
            requires.stream().map(r -> "\"" + r + "\"").collect(Collectors.joining(", ")));
  }

  /** Writes the jars and then the file, as somebody who installs a feature does. */
  public TestFeature writeTo(Path folder) {
    bundles.forEach(b -> b.writeTo(folder));
    write(folder.resolve(file()), json());
    return this;
  }

  public void deleteFrom(Path folder) {
    try {
      Files.delete(folder.resolve(file()));
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  public static void write(Path file, String text) {
    try {
      Files.createDirectories(file.getParent());
      Path temporary = Files.createTempFile(file.getParent(), "new", ".tmp");
      Files.writeString(temporary, text);
      Files.move(
          temporary, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
