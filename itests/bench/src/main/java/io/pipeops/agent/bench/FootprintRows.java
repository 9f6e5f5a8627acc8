package io.pipeops.agent.bench;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.agent.itests.Program;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the agent costs while it starts and while it only waits. */
final class FootprintRows {
  private static final Pattern BYTES =
      Pattern.compile("(?m)^pipeops_agent_link_bytes_total\\{[^}]*} ([0-9.eE+]+)");

  private final Figures figures;
  private final Path dir;
  private final Target target;
  private final Spine spine;

  FootprintRows(Figures figures, Path dir, Target target, Spine spine) {
    this.figures = figures;
    this.dir = dir;
    this.target = target;
    this.spine = spine;
  }

  /** Start of an agent without limits: until the hub has its registration. */
  void start(int times) throws Exception {
    List<Double> walls = new ArrayList<>();
    List<Double> cpus = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      spine.agent().stop();
      awaitConnected(false);
      long begin = System.nanoTime();
      spine.startAgent();
      awaitConnected(true);
      walls.add((System.nanoTime() - begin) / 1e9);
      cpus.add(Cpu.seconds(spine.agent().process().pid()));
    }
    double wall = median(walls);
    double cpu = median(cpus);
    figures.add(
        "Start to registered, two cores",
        Figures.number("%.2f s wall", wall) + Figures.number(", %.2f CPU s", cpu),
        Map.of("wall_s", wall, "cpu_s", cpu));
  }

  /** Waits idle and extrapolates to an hour. */
  void idle(int seconds) throws Exception {
    long pid = spine.agent().process().pid();
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(Math.min(20, seconds)));
    double cpu = Cpu.seconds(pid);
    long requests = target.requests();
    double bytes = bytes();
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(seconds));
    double hour = 3600.0 / seconds;
    double rss = Cpu.memory(pid, "VmRSS");
    double anonymous = Cpu.memory(pid, "RssAnon");
    figures.add(
        "Idle resident memory, no limit (" + profile() + " profile)",
        Figures.number("%.0f MiB", rss) + Figures.number(" (%.0f anonymous)", anonymous),
        Map.of("rss_mib", rss, "anonymous_mib", anonymous));
    double perHour = (Cpu.seconds(pid) - cpu) * hour;
    figures.add(
        "Idle CPU per hour", Figures.number("%.1f s", perHour), Map.of("cpu_s_per_hour", perHour));
    double kib = (bytes() - bytes) * hour / 1024;
    figures.add(
        "Idle bytes on the wire per hour, both ways",
        Figures.number("%.0f KiB", kib),
        Map.of("kib_per_hour", kib));
    double asked = (target.requests() - requests) * hour;
    figures.add(
        "Idle Kubernetes API requests per hour",
        Figures.number("%.0f", asked),
        Map.of("requests_per_hour", asked));
  }

  private static String profile() {
    return System.getenv().getOrDefault("PIPEOPS_MEMORY_PROFILE", "standard");
  }

  /** Cold start in a container's limits, then a steady minute of requests. */
  void limited(double cpus, int steadySeconds) throws Exception {
    String what = Figures.number("128 MiB and %.1f CPU, page cache cold", cpus);
    spine.agent().stop();
    awaitConnected(false);
    try (ColdImage cold = ColdImage.create(dir, Program.IMAGE);
        Cgroup group = Cgroup.create("pipeops-bench", 128, cpus)) {
      List<String> line = new ArrayList<>(group.wrap());
      Path run = Files.createDirectories(dir.resolve("limited-run"));
      Files.deleteIfExists(run.resolve("http.address"));
      line.addAll(
          List.of(
              cold.image().resolve("bin/pipeops-agent").toString(),
              "run",
              "--config",
              spine.settings.toString(),
              "--run-dir",
              run.toString()));
      ProcessBuilder builder =
          new ProcessBuilder(line)
              .redirectErrorStream(true)
              .redirectOutput(dir.resolve("limited.log").toFile());
      builder.environment().put("PIPEOPS_MEMORY_PROFILE", "small");
      long begin = System.nanoTime();
      Process process = builder.start();
      try {
        awaitConnected(true);
        double registered = (System.nanoTime() - begin) / 1e9;
        awaitReady(run);
        double ready = (System.nanoTime() - begin) / 1e9;
        double cpu = Cpu.seconds(process.pid());
        double hits = group.limitHits();
        steady(steadySeconds);
        figures.add(
            what,
            Figures.number("registered %.1f s", registered)
                + Figures.number(", ready %.1f s", ready)
                + Figures.number(" (%.2f CPU s)", cpu)
                + Figures.number("; anonymous %.0f", group.anonymous())
                + Figures.number(" + files %.0f MiB", group.file())
                + Figures.number(", peak %.0f", group.peak())
                + Figures.number("; limit hits %.0f at ready", hits)
                + Figures.number(", %.0f later", group.limitHits() - hits)
                + Figures.number("; OOM %.0f", group.oomKills()),
            Map.of(
                "registered_s",
                registered,
                "ready_s",
                ready,
                "cpu_s",
                cpu,
                "anonymous_mib",
                group.anonymous(),
                "file_mib",
                group.file(),
                "peak_mib",
                group.peak(),
                "limit_hits_at_ready",
                hits,
                "limit_hits_later",
                group.limitHits() - hits,
                "oom_kills",
                group.oomKills()));
      } finally {
        process.destroy();
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
          process.destroyForcibly().waitFor();
        }
      }
    } catch (IOException e) {
      figures.skipped(what, e.getMessage());
    }
    spine.startAgent();
    awaitConnected(true);
  }

  private void steady(int seconds) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (System.nanoTime() < end) {
      spine.get("/api/small");
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
    }
  }

  private double bytes() throws Exception {
    Matcher matcher = BYTES.matcher(spine.local("/metrics").body());
    double sum = 0;
    while (matcher.find()) {
      sum += Double.parseDouble(matcher.group(1));
    }
    return sum;
  }

  private void awaitReady(Path run) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(120).toNanos();
    while (System.nanoTime() < end) {
      try {
        String address = Files.readString(run.resolve("http.address")).strip();
        var answer =
            spine
                .client()
                .send(
                    java.net.http.HttpRequest.newBuilder(java.net.URI.create(address + "/ready"))
                        .timeout(Duration.ofSeconds(5))
                        .build(),
                    java.net.http.HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() == 200) {
          return;
        }
      } catch (IOException e) {
        // Not listening yet.
      }
      LockSupport.parkNanos(50_000_000);
    }
    throw new IOException(
        "not ready within 120 s: " + Files.readString(dir.resolve("limited.log")));
  }

  private void awaitConnected(boolean wanted) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(120).toNanos();
    while (System.nanoTime() < end) {
      JsonNode answer = spine.rest("GET", "/api/v1/clusters", "");
      JsonNode list = answer.isArray() ? answer : answer.path("items");
      if (list.size() > 0 && list.get(0).path("connected").asBoolean() == wanted) {
        return;
      }
      LockSupport.parkNanos(20_000_000);
    }
    throw new IOException("The hub does not see the agent " + (wanted ? "come" : "go"));
  }

  private static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    return sorted.get(sorted.size() / 2);
  }
}
