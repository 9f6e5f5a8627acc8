import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Run by the build: links a Java run time of just the modules we need, from the JDK that runs this
 * program. A run time that is there already and came from the same JDK and modules is kept. Usage:
 * {@code JavaRuntime <modules> <image folder>}.
 */
class JavaRuntime {
  /** The security providers of the modules that we link. */
  private static final List<String> PROVIDERS =
      List.of("SUN", "SunRsaSign", "SunEC", "SunJSSE", "SunJCE", "SunJGSS");

  public static void main(String[] args) throws IOException, InterruptedException {
    Path jdk = Path.of(System.getProperty("java.home"));
    Path image = Path.of(args[1]);
    Path runtime = image.resolve("runtime");
    String wanted = Runtime.version() + " " + args[0] + " " + PROVIDERS;
    options(image.resolve("conf/runtime.args"));
    Path mark = image.resolveSibling("runtime.version");
    if (Files.exists(mark) && Files.readString(mark).equals(wanted) && Files.exists(runtime)) {
      System.out.println("The Java run time is there: " + wanted);
      return;
    }
    delete(runtime);
    run(
        jdk.resolve("bin/jlink").toString(),
        "--add-modules", args[0],
        "--strip-debug",
        "--no-header-files",
        "--no-man-pages",
        "--compress", "zip-0",
        "--output", runtime.toString());
    providers(runtime.resolve("conf/security/java.security"));
    // One base archive, for the object layout that we use; the others are only in the way.
    try (Stream<Path> files = Files.walk(runtime)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".jsa")).toList()) {
        Files.delete(file);
      }
    }
    List<String> dump = new ArrayList<>(List.of(runtime.resolve("bin/java").toString(), "-Xshare:dump", "-XX:+UseSerialGC"));
    if (Runtime.version().feature() >= 25) {
      dump.add("-XX:+UseCompactObjectHeaders");
    }
    run(dump.toArray(String[]::new));
    Files.writeString(mark, wanted);
  }

  /**
   * Takes providers out of the list whose modules are not linked. The JDK would look for each of them by
   * asking every provider that any library on the class path announces, and so load all of Bouncy Castle
   * in a process that never uses it.
   */
  private static void providers(Path file) throws IOException {
    List<String> lines = new ArrayList<>();
    int number = 0;
    for (String line : Files.readAllLines(file)) {
      if (!line.matches("security\\.provider\\.\\d+=.*")) {
        lines.add(line);
      } else if (PROVIDERS.contains(line.replaceAll(".*=", "").strip())) {
        lines.add("security.provider." + ++number + line.substring(line.indexOf('=')));
      }
    }
    if (number != PROVIDERS.size()) {
      throw new IOException("This JDK does not list the security providers " + PROVIDERS);
    }
    Files.write(file, lines);
  }

  /** Options that not every JDK from 21 on knows. */
  private static void options(Path file) throws IOException {
    List<String> options = new ArrayList<>(List.of("# What this run time knows beyond Java 21; written by the build."));
    int feature = Runtime.version().feature();
    if (feature >= 25) {
      options.add("-XX:+UseCompactObjectHeaders");
    }
    if (feature >= 23) {
      options.add("--sun-misc-unsafe-memory-access=allow");
    }
    Files.createDirectories(file.getParent());
    Files.write(file, options);
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + " failed:\n" + output);
    }
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
