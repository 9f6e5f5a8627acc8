package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the built bundles and the feature files of the distribution say of themselves. */
class ManifestIT {
  private static final Set<String> CONTRACTS =
      Set.of("io.pipeops.agent.api", "io.pipeops.agent.protocol");
  private static final List<String> FORBIDDEN =
      List.of(
          "Bundle-Activator",
          "Require-Bundle",
          "Fragment-Host",
          "DynamicImport-Package",
          "Bundle-ClassPath");

  @Test
  void onlyTheContractsExport() throws Exception {
    List<String> wrong = new ArrayList<>();
    for (Path jar : jars("bundles")) {
      Attributes main = manifest(jar);
      boolean contract = CONTRACTS.contains(main.getValue("Bundle-SymbolicName"));
      List<String> exports = AgentContainer.clauses(main.getValue("Export-Package"));
      if (contract == exports.isEmpty()) {
        wrong.add(jar.getFileName() + " exports " + exports);
      }
      exports.stream()
          .filter(clause -> !clause.contains(";version="))
          .forEach(clause -> wrong.add(jar.getFileName() + " exports without version " + clause));
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void nothingForbiddenAndNothingEmbedded() throws Exception {
    List<String> wrong = new ArrayList<>();
    for (Path jar : jars("bundles")) {
      Attributes main = manifest(jar);
      FORBIDDEN.stream()
          .filter(header -> main.getValue(header) != null)
          .forEach(header -> wrong.add(jar.getFileName() + " has " + header));
      String description = main.getValue("Bundle-Description");
      if (description == null || description.isBlank()) {
        wrong.add(jar.getFileName() + " has no description");
      }
      try (JarFile file = new JarFile(jar.toFile())) {
        file.stream()
            .filter(entry -> entry.getName().endsWith(".jar"))
            .forEach(entry -> wrong.add(jar.getFileName() + " embeds " + entry));
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void importsHaveRangesWhereTheExporterHasAVersion() throws Exception {
    Set<String> versioned = versionedExports();
    assertFalse(versioned.isEmpty());
    List<String> wrong = new ArrayList<>();
    for (Path jar : jars("bundles")) {
      for (String clause : AgentContainer.clauses(manifest(jar).getValue("Import-Package"))) {
        if (versioned.contains(clause.split(";")[0])
            && !clause.matches(".*;version=\"[\\[(][^,]+,[^,]+[\\])]\".*")) {
          wrong.add(jar.getFileName() + " imports " + clause);
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void featuresNameExactBundles() throws Exception {
    Map<String, Path> bundles = new HashMap<>();
    for (Path jar : jars("bundles")) {
      Attributes main = manifest(jar);
      bundles.put(
          main.getValue("Bundle-SymbolicName") + ":" + main.getValue("Bundle-Version"), jar);
    }
    List<String> wrong = new ArrayList<>();
    Set<Path> named = new HashSet<>();
    try (Stream<Path> files = Files.list(Program.IMAGE.resolve("features"))) {
      for (Path file : files.toList()) {
        for (JsonNode bundle : Spine.JSON.readTree(file.toFile()).path("bundles")) {
          String id = bundle.path("id").asText();
          Path jar = bundles.get(id.substring(id.indexOf(':') + 1));
          if (jar == null) {
            wrong.add(file.getFileName() + " names " + id);
          } else if (!sha256(jar).equals(bundle.path("sha256").asText())) {
            wrong.add(file.getFileName() + " has another digest of " + id);
          }
          named.add(jar);
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertEquals(new HashSet<>(bundles.values()), named, "each bundle is in some feature");
  }

  /** Packages that the contracts or the launcher's class path export with a version above 0. */
  private static Set<String> versionedExports() throws IOException {
    List<String> clauses = new ArrayList<>();
    for (Path jar : jars("bundles")) {
      clauses.addAll(AgentContainer.clauses(manifest(jar).getValue("Export-Package")));
    }
    for (String program : List.of("system", "hub")) {
      String name = program.equals("hub") ? "hub" : "agent";
      try (JarFile launcher =
              new JarFile(Program.IMAGE.resolve("lib/" + name + "-launcher.jar").toFile());
          InputStream in =
              launcher.getInputStream(
                  launcher.getEntry("io/pipeops/agent/launcher/" + program + ".properties"))) {
        Properties packages = new Properties();
        packages.load(in);
        clauses.addAll(AgentContainer.clauses(packages.getProperty("packages")));
      }
    }
    Set<String> versioned = new HashSet<>();
    for (String clause : clauses) {
      if (clause.contains(";version=") && !clause.contains("version=\"0.0.0\"")) {
        versioned.add(clause.split(";")[0]);
      }
    }
    return versioned;
  }

  private static List<Path> jars(String folder) throws IOException {
    try (Stream<Path> files = Files.list(Program.IMAGE.resolve(folder))) {
      return files.filter(file -> file.toString().endsWith(".jar")).sorted().toList();
    }
  }

  private static Attributes manifest(Path jar) throws IOException {
    try (JarFile file = new JarFile(jar.toFile())) {
      return file.getManifest().getMainAttributes();
    }
  }

  private static String sha256(Path file) throws Exception {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }
}
