package io.pipeops.agent.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A memory and CPU limit around one process, with either version of the kernel's control groups.
 */
final class Cgroup implements AutoCloseable {
  private static final Path ROOT = Path.of("/sys/fs/cgroup");

  private final boolean v2;
  private final Path memory;
  private final Path cpu;

  private Cgroup(boolean v2, Path memory, Path cpu) {
    this.v2 = v2;
    this.memory = memory;
    this.cpu = cpu;
  }

  static Cgroup create(String name, int mebibytes, double cpus) throws IOException {
    boolean v2 = Files.exists(ROOT.resolve("cgroup.controllers"));
    String quota = Long.toString(Math.round(cpus * 100_000));
    if (v2) {
      Path group = Files.createDirectories(ROOT.resolve(name));
      Files.writeString(group.resolve("memory.max"), Long.toString((long) mebibytes << 20));
      Files.writeString(group.resolve("memory.swap.max"), "0");
      Files.writeString(group.resolve("cpu.max"), quota + " 100000");
      return new Cgroup(true, group, group);
    }
    Path memory = Files.createDirectories(ROOT.resolve("memory").resolve(name));
    Path cpu = Files.createDirectories(ROOT.resolve("cpu").resolve(name));
    Files.writeString(
        memory.resolve("memory.limit_in_bytes"), Long.toString((long) mebibytes << 20));
    Files.writeString(cpu.resolve("cpu.cfs_period_us"), "100000");
    Files.writeString(cpu.resolve("cpu.cfs_quota_us"), quota);
    return new Cgroup(false, memory, cpu);
  }

  /** The command that joins the group and then becomes the given one. */
  List<String> wrap() {
    String join =
        v2
            ? "echo $$ > " + memory.resolve("cgroup.procs")
            : "echo $$ > "
                + memory.resolve("cgroup.procs")
                + " && echo $$ > "
                + cpu.resolve("cgroup.procs");
    return List.of("/bin/sh", "-c", join + " && exec \"$@\"", "sh");
  }

  /** Highest memory charged, in MiB. */
  double peak() throws IOException {
    return number(v2 ? "memory.peak" : "memory.max_usage_in_bytes") / (1 << 20);
  }

  double anonymous() throws IOException {
    return stat(v2 ? "anon" : "total_rss") / (1 << 20);
  }

  double file() throws IOException {
    return stat(v2 ? "file" : "total_cache") / (1 << 20);
  }

  /** How often the limit was hit and pages had to be reclaimed. */
  double limitHits() throws IOException {
    return v2 ? event("max") : number("memory.failcnt");
  }

  double oomKills() throws IOException {
    return v2 ? event("oom_kill") : field(memory.resolve("memory.oom_control"), "oom_kill");
  }

  double cpuSeconds() throws IOException {
    return v2
        ? field(cpu.resolve("cpu.stat"), "usage_usec") / 1e6
        : Double.parseDouble(
                Files.readString(
                        ROOT.resolve("cpuacct")
                            .resolve(memory.getFileName())
                            .resolve("cpuacct.usage"))
                    .strip())
            / 1e9;
  }

  private double number(String file) throws IOException {
    return Double.parseDouble(Files.readString(memory.resolve(file)).strip());
  }

  private double stat(String name) throws IOException {
    return field(memory.resolve("memory.stat"), name);
  }

  private double event(String name) throws IOException {
    return field(memory.resolve("memory.events"), name);
  }

  private static double field(Path file, String name) throws IOException {
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith(name + " ")) {
        return Double.parseDouble(line.substring(name.length() + 1).strip());
      }
    }
    return 0;
  }

  @Override
  public void close() throws IOException {
    Files.deleteIfExists(memory);
    if (!v2) {
      Files.deleteIfExists(cpu);
    }
  }
}
