import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Run by the build: links a Java run time of just the modules we need, from the JDK that runs this
 * program. A run time that is there already and came from the same JDK and modules is kept. Usage:
 * {@code JavaRuntime <modules> <image folder> <time of its files>}.
 */
class JavaRuntime {
  /** The security providers of the modules that we link. */
  private static final List<String> PROVIDERS =
      List.of("SUN", "SunRsaSign", "SunEC", "SunJSSE", "SunJCE", "SunJGSS");

  private static final String CONTAINER_HOME = "/opt/pipeops-agent";

  /** From 25 on the archives of agent and hub are AOT caches, which contain the run time's own classes. */
  private static final boolean AHEAD_OF_TIME = Runtime.version().feature() >= 25;

  public static void main(String[] args) throws IOException, InterruptedException {
    Path jdk = Path.of(System.getProperty("java.home"));
    Path image = Path.of(args[1]);
    Path runtime = image.resolve("runtime");
    FileTime time = FileTime.from(Instant.parse(args.length > 2 ? args[2] : "2026-01-01T00:00:00Z"));
    String wanted = Runtime.version() + " " + args[0] + " " + PROVIDERS + " " + time + (AHEAD_OF_TIME ? " without" : " with") + " a base archive, no SHA-1";
    options(image.resolve("conf/runtime.args"), time);
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
    constraints(runtime.resolve("conf/security/java.security"));
    // Before any archive: it remembers the time of what it was made from.
    touch(runtime, time);
    // One base archive if any, for what starts here; those of the JDK are for other collectors and options.
    try (Stream<Path> files = Files.walk(runtime)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".jsa")).toList()) {
        Files.delete(file);
      }
    }
    if (!AHEAD_OF_TIME) {
      run(runtime.resolve("bin/java").toString(), "-Xshare:dump", "-XX:+UseSerialGC");
    }
    touch(runtime, time);
    Files.writeString(mark, wanted);
  }

  private static void touch(Path folder, FileTime time) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, time);
      }
    }
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

  /**
   * SHA-1 in a server's certificate is refused whoever signed it. The JDK allows it to a private authority, and to know one it
   * reads its whole trust store in every process that trusts another.
   */
  private static void constraints(Path file) throws IOException {
    String text = Files.readString(file);
    if (!text.contains("SHA1 jdkCA & usage TLSServer")) {
      throw new IOException("This JDK has other constraints for SHA-1 certificates: " + file);
    }
    Files.writeString(file, text.replace("SHA1 jdkCA & usage TLSServer", "SHA1 usage TLSServer"));
  }

  /** Options that not every JDK from 21 on knows. */
  private static void options(Path file, FileTime time) throws IOException {
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
    Files.setLastModifiedTime(file, time);
    containers(file.getParent(), time);
  }

  /**
   * What the start script puts together, as one file for each program and profile: for a container image,
   * where there is no shell and the place is known.
   */
  private static void containers(Path conf, FileTime time) throws IOException {
    for (String program : List.of("agent", "hub")) {
      for (String profile : List.of("small", "standard")) {
        List<String> lines = new ArrayList<>();
        for (String part : List.of("runtime", "java", program + "-" + profile)) {
          lines.addAll(Files.readAllLines(conf.resolve(part + ".args")));
        }
        if (profile.equals("small")) {
          lines.add("-XX:CompilerDirectivesFile=" + CONTAINER_HOME + "/conf/compiler.json");
        }
        String archive = CONTAINER_HOME + "/lib/" + program;
        lines.add(AHEAD_OF_TIME ? "-XX:AOTCache=" + archive + ".aot" : "-XX:SharedArchiveFile=" + archive + ".jsa");
        if (AHEAD_OF_TIME && program.equals("agent") && profile.equals("standard")) {
          // What the agent's cache has learned is for the first compiler tier only.
          lines.add("-XX:-AOTReplayTraining");
        }
        lines.add("-Dagent.home=" + CONTAINER_HOME);
        Path file = conf.resolve("container-" + program + "-" + profile + ".args");
        Files.write(file, lines);
        Files.setLastModifiedTime(file, time);
      }
    }
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
