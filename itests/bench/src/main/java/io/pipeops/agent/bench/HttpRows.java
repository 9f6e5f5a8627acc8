package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Await;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.net.ssl.SSLContext;

/**
 * Requests through hub and agent beside the same requests straight to the target, TLS on every hop
 * or on none.
 */
final class HttpRows {
  private static final double GIB = 1 << 30;
  private static final int WINDOW_SECONDS = 5;

  private final Figures figures;
  private final Spine spine;
  private final Target target;
  private final int seconds;
  private final int warmUpWindows;
  private String way = "";

  HttpRows(Figures figures, Spine spine, Target target, int seconds) {
    this.figures = figures;
    this.spine = spine;
    this.target = target;
    this.seconds = seconds;
    this.warmUpWindows = seconds >= 5 ? 24 : 1;
  }

  private record Place(SSLContext tls, URI server, String prefix, String token) {
    Caller open() throws Exception {
      return new Caller(tls, server, token);
    }
  }

  private record Run(long count, double wall, double agentCpu, double hubCpu, long[] nanos) {
    double rate() {
      return count / wall;
    }

    double micros(double quantile) {
      return nanos[(int) Math.min(nanos.length - 1, nanos.length * quantile)] / 1000.0;
    }
  }

  /** Both ways that a request can take between hub and agent, the faster one first. */
  void run() throws Exception {
    way = "Stream path";
    rows();
    spine.values.put("forward.api", "false");
    spine.writeSettings();
    Await.until("requests go by messages", Duration.ofMinutes(1), this::byMessages);
    way = "JSON path";
    rows();
    spine.values.remove("forward.api");
    spine.writeSettings();
  }

  private boolean byMessages() throws Exception {
    String before = messages();
    spine.get("/api/small");
    return !messages().equals(before);
  }

  private String messages() throws Exception {
    return spine
        .local("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("pipeops_agent_tunnel_requests_total{target=\"api\"}"))
        .findFirst()
        .orElse("");
  }

  private void rows() throws Exception {
    var request = spine.api("/").build();
    String token = request.headers().firstValue("Authorization").orElseThrow().substring(7);
    URI hub = request.uri();
    Place through =
        new Place(
            hub.getScheme().equals("https") ? Spine.trust(spine.dir.resolve("hub/ca.crt")) : null,
            hub,
            hub.getPath().replaceAll("/+$", ""),
            token);
    Place direct = new Place(target.trust(), target.address(), "", "");
    warmUp(through);
    for (int callers : new int[] {1, 16}) {
      compare(way + ", 1 KiB, " + callers + " callers", through, direct, "/api/small", callers);
    }
    compare(way + ", 4 KiB text, 16 callers", through, direct, "/api/medium", 16);
    bulk(way + ", 64 MiB down", through, direct, false);
    bulk(way + ", 64 MiB up", through, direct, true);
  }

  /**
   * The run time compiles what is used much, and takes its time. The rows are of the steady state;
   * this one says how it begins.
   */
  private void warmUp(Place through) throws Exception {
    Run first = repeat(through, "/api/small", 16, WINDOW_SECONDS);
    double agent = first.agentCpu / first.count * 10_000;
    double hub = first.hubCpu / first.count * 10_000;
    figures.add(
        way + ", the first " + WINDOW_SECONDS + " s, 16 callers",
        Figures.number("%.0f/s", first.rate())
            + Figures.number("; agent %.1f", agent)
            + Figures.number(", hub %.1f CPU s per 10,000", hub),
        Map.of(
            "per_second",
            first.rate(),
            "agent_cpu_s_per_10000",
            agent,
            "hub_cpu_s_per_10000",
            hub));
    double best = 0;
    int flat = 0;
    for (int i = 0; i < warmUpWindows && flat < 3; i++) {
      double rate = repeat(through, "/api/small", 16, WINDOW_SECONDS).rate();
      flat = rate < best * 1.03 ? flat + 1 : 0;
      best = Math.max(best, rate);
    }
  }

  private void compare(String what, Place through, Place direct, String path, int callers)
      throws Exception {
    Run d = repeat(direct, path, callers, seconds);
    Run t = repeat(through, path, callers, seconds);
    double agent = t.agentCpu / t.count * 10_000;
    double hub = t.hubCpu / t.count * 10_000;
    figures.add(
        what,
        Figures.number("%.0f/s", t.rate())
            + Figures.number(" (%.2f of direct", t.rate() / d.rate())
            + Figures.number(" %.0f/s)", d.rate())
            + Figures.number("; agent %.2f", agent)
            + Figures.number(", hub %.2f CPU s per 10,000", hub)
            + Figures.number("; p50 %.2f ms", t.micros(0.5) / 1000)
            + Figures.number(" p99 %.2f ms", t.micros(0.99) / 1000)
            + Figures.number(" (direct p50 %.2f ms)", d.micros(0.5) / 1000),
        Map.of(
            "per_second",
            t.rate(),
            "direct_per_second",
            d.rate(),
            "agent_cpu_s_per_10000",
            agent,
            "hub_cpu_s_per_10000",
            hub,
            "p50_ms",
            t.micros(0.5) / 1000,
            "p99_ms",
            t.micros(0.99) / 1000));
  }

  private Run repeat(Place place, String path, int callers, int forSeconds) throws Exception {
    ConcurrentLinkedQueue<long[]> times = new ConcurrentLinkedQueue<>();
    ConcurrentLinkedQueue<Exception> errors = new ConcurrentLinkedQueue<>();
    long end = System.nanoTime() + forSeconds * 1_000_000_000L;
    double agent = Cpu.seconds(spine.agent().process().pid());
    double hub = Cpu.seconds(spine.hub().process().pid());
    long begin = System.nanoTime();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < callers; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    long[] mine = new long[1 << 20];
                    int n = 0;
                    try (Caller caller = place.open()) {
                      while (System.nanoTime() < end && n < mine.length) {
                        long before = System.nanoTime();
                        caller.get(place.prefix() + path);
                        mine[n++] = System.nanoTime() - before;
                      }
                    } catch (Exception e) {
                      errors.add(e);
                    }
                    times.add(Arrays.copyOf(mine, n));
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!errors.isEmpty()) {
      throw errors.peek();
    }
    double wall = (System.nanoTime() - begin) / 1e9;
    long[] all = times.stream().flatMapToLong(Arrays::stream).sorted().toArray();
    return new Run(
        all.length,
        wall,
        Cpu.seconds(spine.agent().process().pid()) - agent,
        Cpu.seconds(spine.hub().process().pid()) - hub,
        all);
  }

  private void bulk(String what, Place through, Place direct, boolean up) throws Exception {
    int times = seconds >= 5 ? 5 : 2;
    double d = transfer(direct, up, times);
    long pid = spine.agent().process().pid();
    double idle = Cpu.memory(pid, "VmRSS");
    Cpu.resetPeak(pid);
    double agent = Cpu.seconds(pid);
    double hub = Cpu.seconds(spine.hub().process().pid());
    double t;
    try {
      t = transfer(through, up, times);
    } catch (IOException e) {
      figures.add(what, "refused: " + e.getMessage(), Map.of());
      return;
    }
    double gib = (double) Target.LARGE * times / GIB;
    double agentPerGib = (Cpu.seconds(pid) - agent) / gib;
    double hubPerGib = (Cpu.seconds(spine.hub().process().pid()) - hub) / gib;
    double peak = Cpu.memory(pid, "VmHWM") - idle;
    figures.add(
        what,
        Figures.number("%.0f MiB/s", t)
            + Figures.number(" (%.2f of direct", t / d)
            + Figures.number(" %.0f)", d)
            + Figures.number("; agent %.1f", agentPerGib)
            + Figures.number(", hub %.1f CPU s per GiB", hubPerGib)
            + Figures.number("; agent peak +%.0f MiB", peak),
        Map.of(
            "mib_per_second", t,
            "direct_mib_per_second", d,
            "agent_cpu_s_per_gib", agentPerGib,
            "hub_cpu_s_per_gib", hubPerGib,
            "agent_peak_mib", peak));
  }

  private double transfer(Place place, boolean up, int times) throws Exception {
    long begin = System.nanoTime();
    try (Caller caller = place.open()) {
      for (int i = 0; i < times; i++) {
        if (up) {
          caller.post(place.prefix() + "/api/upload", Target.LARGE);
        } else if (caller.get(place.prefix() + "/api/large") != Target.LARGE) {
          throw new IllegalStateException("The body is not whole");
        }
      }
    }
    return times * (Target.LARGE >> 20) / ((System.nanoTime() - begin) / 1e9);
  }
}
