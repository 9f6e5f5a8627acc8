package io.pipeops.agent.http;

import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The figures about Java that the status pages show. */
final class JavaRuntime {
  private static final double MIB = 1024 * 1024;

  private JavaRuntime() {}

  static double usedHeapMb() {
    Runtime runtime = Runtime.getRuntime();
    return mb(runtime.totalMemory() - runtime.freeMemory());
  }

  static double committedHeapMb() {
    return mb(Runtime.getRuntime().totalMemory());
  }

  /** The process's memory in RAM; the committed heap where the system does not tell. */
  static double residentMb() {
    try {
      byte[] status = Files.readAllBytes(Path.of("/proc/self/status"));
      return new String(status, StandardCharsets.ISO_8859_1)
          .lines()
          .filter(line -> line.startsWith("VmRSS:"))
          .map(line -> line.substring(6).replace("kB", "").trim())
          .mapToDouble(kib -> mb(Long.parseLong(kib) * 1024))
          .findFirst()
          .orElseGet(JavaRuntime::committedHeapMb);
    } catch (IOException | NumberFormatException e) {
      return committedHeapMb();
    }
  }

  static long collections() {
    return ManagementFactory.getGarbageCollectorMXBeans().stream()
        .mapToLong(GarbageCollectorMXBean::getCollectionCount)
        .sum();
  }

  static long collectionNanos() {
    return ManagementFactory.getGarbageCollectorMXBeans().stream()
        .mapToLong(bean -> bean.getCollectionTime() * 1_000_000)
        .sum();
  }

  /** Platform threads; virtual ones come and go by the request. */
  static int threads() {
    return ManagementFactory.getThreadMXBean().getThreadCount();
  }

  private static double mb(long bytes) {
    return Math.round(bytes / MIB * 100) / 100.0;
  }
}
