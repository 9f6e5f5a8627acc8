package io.pipeops.agent.itests;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.HotSpotDiagnosticMXBean.ThreadDumpFormat;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The threads of this JVM, virtual ones too. */
final class Threads {
  private static final Pattern THREAD = Pattern.compile("^#\\d+ \"([^\"]*)\"");

  private Threads() {}

  /**
   * How many there are by name, numbers in names left out; without the pools by which the JDK
   * carries virtual threads and asynchronous calls, which shrink and grow as they like.
   */
  static Map<String, Integer> byName(Path dir) throws IOException {
    Path dump = dir.resolve("threads-" + System.nanoTime());
    ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
        .dumpThreads(dump.toAbsolutePath().toString(), ThreadDumpFormat.TEXT_PLAIN);
    Map<String, Integer> names = new TreeMap<>();
    for (String line : Files.readAllLines(dump)) {
      Matcher thread = THREAD.matcher(line);
      if (thread.find() && !thread.group(1).startsWith("ForkJoinPool")) {
        names.merge(thread.group(1).replaceAll("[0-9a-f]*[0-9][0-9a-f]*", "#"), 1, Integer::sum);
      }
    }
    Files.delete(dump);
    return names;
  }
}
