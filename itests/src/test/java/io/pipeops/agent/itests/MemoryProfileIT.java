package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The start script gives each memory profile the heap it is meant to have, and the cache. */
class MemoryProfileIT {
  private static final Pattern HEAP = Pattern.compile(" MaxHeapSize += (\\d+) ");

  @Test
  void theSmallProfileHasItsHeapWhateverTheLimit() throws Exception {
    assertEquals(40L << 20, heap("small"));
  }

  @Test
  void theStandardProfileHasMore() throws Exception {
    long heap = heap("standard");
    assertTrue(heap > 40L << 20, heap + " bytes");
  }

  @Test
  void theCacheOfTheImageIsTaken() throws Exception {
    for (String profile : List.of("small", "standard")) {
      String flags = version(Program.IMAGE, profile, "-XX:+PrintFlagsFinal");
      assertTrue(
          Pattern.compile(" AOTCache += \\S+agent\\.aot ").matcher(flags).find(),
          "before Java 25?");
      String output = version(Program.IMAGE, profile, "-Xlog:aot");
      assertTrue(output.contains("Using AOT-linked classes: true"), output);
    }
  }

  /** Else an old class would run after its jar was replaced. */
  @Test
  void aCacheThatDoesNotFitItsJarsIsRefusedAloud(@TempDir Path dir) throws Exception {
    Process copy =
        new ProcessBuilder("cp", "-a", Program.IMAGE + "/.", dir.toString()).inheritIO().start();
    assertEquals(0, copy.waitFor());
    assertFalse(version(dir, "small", "").contains("mismatch"), "the copy is as good");
    refusesChanged(dir, jar(dir.resolve("lib"), "jackson-core-"));
    refusesChanged(dir, jar(dir.resolve("bundles"), "io.pipeops.agent.link-"));
    assertFalse(version(dir, "small", "").contains("mismatch"), "every jar is as it was");
  }

  private static Path jar(Path folder, String name) throws Exception {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.toString().contains(name)).findFirst().orElseThrow();
    }
  }

  private static void refusesChanged(Path image, Path jar) throws Exception {
    FileTime time = Files.getLastModifiedTime(jar);
    Files.setLastModifiedTime(jar, FileTime.from(Instant.now()));
    String output = version(image, "small", "");
    assertTrue(output.contains(FaultSigns.row(21, "shared class paths mismatch")), output);
    assertTrue(output.contains("pipeops-agent 1."), output);
    Files.setLastModifiedTime(jar, time);
  }

  private static long heap(String profile) throws Exception {
    String output = version(Program.IMAGE, profile, "-XX:+PrintFlagsFinal");
    Matcher heap = HEAP.matcher(output);
    assertTrue(heap.find(), output);
    return Long.parseLong(heap.group(1));
  }

  /** What the program says, errors of the run time in it. */
  private static String version(Path image, String profile, String options) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(image.resolve("bin/pipeops-agent").toString(), "version");
    builder.environment().put("PIPEOPS_MEMORY_PROFILE", profile);
    builder.environment().put("PIPEOPS_JAVA_OPTIONS", options);
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }
}
