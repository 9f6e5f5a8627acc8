package io.pipeops.agent.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the operating system accounts to one process. */
final class Cpu {
  private static final double TICKS = 100;

  private Cpu() {}

  /** User and system seconds used so far. */
  static double seconds(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS;
  }

  /** Resident memory in MiB: all of it, or the anonymous part. */
  static double memory(long pid, String field) throws IOException {
    return number(pid, field) / 1024;
  }

  /** A number of the process's status, as it stands there. */
  static double number(long pid, String field) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
      if (line.startsWith(field + ":")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("No " + field + " for process " + pid);
  }

  /** Lets the kernel forget the process's highest resident size. */
  static void resetPeak(long pid) throws IOException {
    Files.writeString(Path.of("/proc", Long.toString(pid), "clear_refs"), "5");
  }
}
