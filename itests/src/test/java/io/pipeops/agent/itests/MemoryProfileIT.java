package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The start script gives each memory profile the heap it is meant to have. */
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

  private static long heap(String profile) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(Program.IMAGE.resolve("bin/pipeops-agent").toString(), "version");
    builder.environment().put("PIPEOPS_MEMORY_PROFILE", profile);
    builder.environment().put("PIPEOPS_JAVA_OPTIONS", "-XX:+PrintFlagsFinal");
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    Matcher heap = HEAP.matcher(output);
    assertTrue(heap.find(), output);
    return Long.parseLong(heap.group(1));
  }
}
