package io.pipeops.agent.itests;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/** Makes new versions of a feature, good and bad ones, in a features folder of the test's own. */
final class FeatureKit {
  private final Path folder;

  /** A copy of the distribution's feature files, so that a test can change them. */
  FeatureKit(Path folder) throws IOException {
    this.folder = Files.createDirectories(folder);
    try (Stream<Path> files = Files.list(Program.IMAGE.resolve("features"))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  Path folder() {
    return folder;
  }

  /** Drops {@code feature} in the given version, its code unchanged. */
  void upgrade(String feature, String version) throws IOException {
    drop(feature, version, null, true);
  }

  /** Drops a version whose bundle also has this activator. */
  void upgradeWith(String feature, String version, Class<?> activator) throws IOException {
    drop(feature, version, activator, true);
  }

  /** Drops a version whose digest does not fit its bundle. */
  void upgradeWithWrongDigest(String feature, String version) throws IOException {
    drop(feature, version, null, false);
  }

  private void drop(String feature, String version, Class<?> activator, boolean digest)
      throws IOException {
    String artifact = "io.pipeops.agent." + feature;
    Path jar = folder.resolve(artifact + "-" + version + ".jar");
    rewrite(Program.IMAGE.resolve("bundles/" + artifact + "-1.0.0.jar"), jar, version, activator);
    String sha = digest ? sha256(jar) : "0".repeat(64);
    String json =
        Files.readString(Program.IMAGE.resolve("features/" + feature + ".json"))
            .replace("feature-" + feature + ":1.0.0", "feature-" + feature + ":" + version)
            .replace(artifact + ":1.0.0", artifact + ":" + version)
            .replaceAll("\"sha256\": \"[0-9a-f]{64}\"", "\"sha256\": \"" + sha + "\"");
    Path next = Files.writeString(folder.resolve(feature + ".next"), json);
    Files.move(next, folder.resolve(feature + ".json"), StandardCopyOption.ATOMIC_MOVE);
  }

  private static void rewrite(Path source, Path target, String version, Class<?> activator)
      throws IOException {
    try (JarFile jar = new JarFile(source.toFile())) {
      Manifest manifest = new Manifest(jar.getManifest());
      Attributes main = manifest.getMainAttributes();
      main.putValue("Bundle-Version", version);
      if (activator != null) {
        main.putValue("Bundle-Activator", activator.getName());
        main.putValue(
            "Import-Package",
            main.getValue("Import-Package") + ",org.osgi.framework,org.apache.felix.hc.api");
        main.putValue(
            "Import-Package",
            Stream.of(main.getValue("Import-Package").split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"))
                .collect(
                    java.util.stream.Collectors.toMap(
                        c -> c.split(";")[0], c -> c, (a, b) -> a, java.util.LinkedHashMap::new))
                .values()
                .stream()
                .collect(java.util.stream.Collectors.joining(",")));
      }
      try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(target), manifest)) {
        for (Enumeration<JarEntry> entries = jar.entries(); entries.hasMoreElements(); ) {
          JarEntry entry = entries.nextElement();
          if (entry.getName().equals(JarFile.MANIFEST_NAME)) {
            continue;
          }
          out.putNextEntry(new JarEntry(entry.getName()));
          try (InputStream in = jar.getInputStream(entry)) {
            in.transferTo(out);
          }
        }
        if (activator != null) {
          String name = activator.getName().replace('.', '/') + ".class";
          out.putNextEntry(new JarEntry(name));
          try (InputStream in = activator.getClassLoader().getResourceAsStream(name)) {
            in.transferTo(out);
          }
        }
      }
    }
  }

  private static String sha256(Path file) throws IOException {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
