package io.pipeops.agent.metrics;

import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What Java and the process say of themselves, under the names that Prometheus' own clients use.
 * Most of it comes from the kernel's files; only the collector's figures and the number of classes
 * need management beans, which are not touched before somebody asks for the first time.
 */
final class ProcessSeries {
  /** USER_HZ, which is 100 on every Linux that Java runs on. */
  private static final double TICKS_PER_SECOND = 100;

  private final Path proc;
  private final double startSeconds;

  ProcessSeries(Path proc) {
    this.proc = proc;
    this.startSeconds =
        ProcessHandle.current()
            .info()
            .startInstant()
            .map(start -> start.toEpochMilli() / 1000.0)
            .orElse(Double.NaN);
  }

  void write(PrometheusText text) {
    Runtime runtime = Runtime.getRuntime();
    long committed = runtime.totalMemory();
    text.head("jvm_memory_committed_bytes", "Memory that Java has taken", Kind.GAUGE)
        .sample("jvm_memory_committed_bytes", "area=\"heap\"", committed)
        .head("jvm_memory_max_bytes", "Memory that Java may take", Kind.GAUGE)
        .sample("jvm_memory_max_bytes", "area=\"heap\"", runtime.maxMemory())
        .head("jvm_memory_used_bytes", "Memory in use, garbage included", Kind.GAUGE)
        .sample("jvm_memory_used_bytes", "area=\"heap\"", committed - runtime.freeMemory());
    text.head("jvm_gc_collections_total", "Garbage collections", Kind.COUNTER);
    for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
      text.sample("jvm_gc_collections_total", gc(bean), bean.getCollectionCount());
    }
    text.head("jvm_gc_seconds_total", "Time spent in garbage collections", Kind.COUNTER);
    for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
      text.sample("jvm_gc_seconds_total", gc(bean), bean.getCollectionTime() / 1000.0);
    }
    one(
        text,
        "jvm_classes_currently_loaded",
        "Loaded classes",
        Kind.GAUGE,
        ManagementFactory.getClassLoadingMXBean().getLoadedClassCount());
    one(text, "jvm_threads_current", "Threads of the process", Kind.GAUGE, status("Threads:"));
    one(text, "process_cpu_seconds_total", "CPU time, user and system", Kind.COUNTER, cpu());
    one(text, "process_open_fds", "Open file descriptors", Kind.GAUGE, openFiles());
    one(
        text,
        "process_resident_memory_bytes",
        "Memory of the process that is in RAM",
        Kind.GAUGE,
        status("VmRSS:") * 1024);
    one(
        text,
        "process_start_time_seconds",
        "When the process was started, in seconds since 1970",
        Kind.GAUGE,
        startSeconds);
  }

  private static String gc(GarbageCollectorMXBean bean) {
    return "gc=\"" + bean.getName() + "\"";
  }

  /** Leaves out what this system does not tell. */
  private static void one(PrometheusText text, String name, String help, Kind kind, double value) {
    if (!Double.isNaN(value)) {
      text.head(name, help, kind).sample(name, "", value);
    }
  }

  private double status(String key) {
    try {
      return read("status")
          .lines()
          .filter(line -> line.startsWith(key))
          .map(line -> line.substring(key.length()).replace("kB", "").trim())
          .mapToDouble(Double::parseDouble)
          .findFirst()
          .orElse(Double.NaN);
    } catch (IOException | NumberFormatException e) {
      return Double.NaN;
    }
  }

  private double cpu() {
    try {
      String stat = read("stat");
      // The second field is the program's name in brackets and may hold blanks.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    } catch (IOException | RuntimeException e) {
      return Double.NaN;
    }
  }

  private double openFiles() {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(proc.resolve("fd"))) {
      int count = 0;
      for (Path file : files) {
        count += file == null ? 0 : 1;
      }
      // The directory itself is open while it is listed.
      return count - 1;
    } catch (IOException | RuntimeException e) {
      return Double.NaN;
    }
  }

  private String read(String file) throws IOException {
    return new String(Files.readAllBytes(proc.resolve(file)), StandardCharsets.ISO_8859_1);
  }
}
