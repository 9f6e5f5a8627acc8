import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;

/**
 * Run by the build: puts the feature files into the image with the digest of every bundle they name, and
 * fails if a feature and the bundles that were built do not fit, or a library is missing; and puts the
 * bundles of the base on the class path, where the AOT cache covers them. All files
 * get one time, since the AOT cache remembers the time of each jar, and every form in which the
 * image is packed has to keep it. Usage: {@code Assemble <features source folder> <image folder> <time>}.
 */
class Assemble {
  private static final Pattern BUNDLE =
      Pattern.compile("\\{ *\"id\": *\"[^:\"]+:([^:\"]+):([^\"]+)\" *}");

  public static void main(String[] args) throws IOException {
    Path source = Path.of(args[0]);
    Path image = Path.of(args[1]);
    Path bundles = image.resolve("bundles");
    Path out = Files.createDirectories(image.resolve("features"));
    TreeSet<String> unnamed = new TreeSet<>();
    TreeSet<String> base = new TreeSet<>();
    try (Stream<Path> jars = Files.list(bundles)) {
      jars.forEach(j -> unnamed.add(j.getFileName().toString()));
    }
    List<String> wrong = new ArrayList<>();
    List<Path> features;
    try (Stream<Path> files = Files.list(source)) {
      features = files.filter(f -> f.toString().endsWith(".json")).sorted().toList();
    }
    for (Path feature : features) {
      String text = Files.readString(feature);
      StringBuilder done = new StringBuilder();
      Matcher matcher = BUNDLE.matcher(text);
      while (matcher.find()) {
        String name = matcher.group(1) + "-" + matcher.group(2) + ".jar";
        Path jar = bundles.resolve(name);
        if (!Files.exists(jar)) {
          wrong.add(feature.getFileName() + " names " + name + ", which the build did not make");
          continue;
        }
        unnamed.remove(name);
        if (feature.getFileName().toString().startsWith("base")) {
          base.add(name);
        }
        String entry = matcher.group();
        matcher.appendReplacement(
            done,
            Matcher.quoteReplacement(
                entry.substring(0, entry.length() - 1).stripTrailing()
                    + ", \"sha256\": \"" + sha256(jar) + "\" }"));
      }
      matcher.appendTail(done);
      Files.writeString(out.resolve(feature.getFileName()), done);
    }
    unnamed.forEach(name -> wrong.add(name + " is in no feature file"));
    base(image.resolve("lib").resolve("base.jar"), bundles, base);
    libraries(image.resolve("lib"), wrong);
    if (!wrong.isEmpty()) {
      throw new IOException("Features and bundles do not fit:\n  " + String.join("\n  ", wrong));
    }
    FileTime time = FileTime.from(Instant.parse(args.length > 2 ? args[2] : "2026-01-01T00:00:00Z"));
    for (String folder : List.of("bin", "bundles", "conf", "features", "lib")) {
      touch(image.resolve(folder), time);
    }
    System.out.println(features.size() + " feature files, every bundle with its digest");
  }

  /**
   * A jar that leads from the launcher's class path to the bundles of the base, and says by which class the launcher
   * finds each.
   */
  private static void base(Path file, Path bundles, TreeSet<String> names) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest
        .getMainAttributes()
        .put(Attributes.Name.CLASS_PATH, names.stream().map(n -> "../bundles/" + n).collect(Collectors.joining(" ")));
    List<String> connected = new ArrayList<>();
    for (String name : names) {
      try (JarFile jar = new JarFile(bundles.resolve(name).toFile())) {
        connected.add(
            name + "=" + jar.stream().map(ZipEntry::getName).filter(n -> n.endsWith(".class")).sorted().findFirst().orElseThrow());
      }
    }
    try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(file))) {
      add(jar, JarFile.MANIFEST_NAME, manifest::write);
      add(
          jar,
          "io/pipeops/agent/launcher/base.properties",
          out -> out.write(("connect=" + String.join(",", connected) + "\n").getBytes(StandardCharsets.UTF_8)));
    }
  }

  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private static void add(JarOutputStream jar, String name, Content content) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    // The same in every build, whatever the zone.
    entry.setTimeLocal(LocalDateTime.of(1980, 1, 1, 0, 0));
    jar.putNextEntry(entry);
    content.writeTo(jar);
    jar.closeEntry();
  }

  /** Takes away what an earlier build left and no launcher names; finds out what they name and is missing. */
  private static void libraries(Path lib, List<String> wrong) throws IOException {
    TreeSet<String> there = new TreeSet<>();
    try (Stream<Path> jars = Files.list(lib)) {
      jars.map(j -> j.getFileName().toString()).filter(n -> n.endsWith(".jar")).forEach(there::add);
    }
    TreeSet<String> named = new TreeSet<>(List.of("agent-launcher.jar", "hub-launcher.jar"));
    for (String launcher : List.copyOf(named)) {
      try (JarFile jar = new JarFile(lib.resolve(launcher).toFile())) {
        for (String entry : jar.getManifest().getMainAttributes().getValue("Class-Path").split(" ")) {
          named.add(entry.startsWith("./") ? entry.substring(2) : entry);
        }
      }
    }
    for (String name : there) {
      if (!named.contains(name)) {
        Files.delete(lib.resolve(name));
      }
    }
    named.stream().filter(n -> !there.contains(n)).forEach(n -> wrong.add("lib/" + n + " is missing"));
  }

  private static void touch(Path folder, FileTime time) throws IOException {
    if (Files.isDirectory(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.filter(f -> !f.toString().matches(".*\\.(aot|jsa)")).toList()) {
          Files.setLastModifiedTime(file, time);
        }
      }
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(in.readAllBytes());
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
