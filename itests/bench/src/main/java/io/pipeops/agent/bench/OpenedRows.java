package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Await;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Many streams, one soon after the other, through a port of the hub: how many a second, and what
 * they leave behind in the memory of agent and hub.
 */
final class OpenedRows {
  private static final int CALLERS = 8;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final Figures figures;
  private final Spine spine;
  private final StreamTarget target;
  private final int streams;

  OpenedRows(Figures figures, Spine spine, StreamTarget target, int streams) {
    this.figures = figures;
    this.spine = spine;
    this.target = target;
    this.streams = streams;
  }

  /**
   * Memory of an agent that has done nothing yet, after that many streams, and after as many again:
   * the first step is the run time finding its size, the second would be a leak.
   *
   * @param idleSeconds how long both wait first
   */
  void memory(int port, Between between, int idleSeconds) throws Exception {
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(idleSeconds));
    Map<String, List<Memory>> seen = new LinkedHashMap<>();
    look(seen, between);
    live(port, streams);
    look(seen, between);
    live(port, streams);
    look(seen, between);
    for (Map.Entry<String, List<Memory>> process : seen.entrySet()) {
      row(process.getKey(), process.getValue());
    }
  }

  private void look(Map<String, List<Memory>> seen, Between between) throws Exception {
    Await.until("no stream is open", LIMIT, this::idle);
    for (Map.Entry<String, Long> process : between.pids().entrySet()) {
      seen.computeIfAbsent(process.getKey(), name -> new ArrayList<>())
          .add(Memory.of(process.getValue()));
    }
  }

  private boolean idle() throws Exception {
    return spine
        .local("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("pipeops_agent_forward_connections_open{kind=\"tcp\"}"))
        .allMatch(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))) == 0);
  }

  private void row(String process, List<Memory> seen) {
    Map<String, Double> numbers = new TreeMap<>();
    StringBuilder resident = new StringBuilder();
    StringBuilder anonymous = new StringBuilder();
    StringBuilder heap = new StringBuilder();
    for (int i = 0; i < seen.size(); i++) {
      Memory memory = seen.get(i);
      String comma = i == 0 ? "" : ", ";
      resident.append(comma).append(Figures.number("%.0f", memory.resident()));
      anonymous.append(comma).append(Figures.number("%.0f", memory.anonymous()));
      numbers.put("resident_mib_" + i, memory.resident());
      numbers.put("anonymous_mib_" + i, memory.anonymous());
      if (memory.collected()) {
        heap.append(comma).append(Figures.number("%.1f", memory.heap()));
        numbers.put("heap_mib_" + i, memory.heap());
      }
    }
    figures.add(
        "Memory idle, after " + thousands(1) + " streams, after " + thousands(2) + ": " + process,
        "resident "
            + resident
            + " MiB; anonymous "
            + anonymous
            + (heap.isEmpty() ? "; not collected before, for want of jcmd" : "; heap " + heap),
        numbers);
  }

  private String thousands(int times) {
    return String.format(Locale.ROOT, "%,d", times * streams);
  }

  /** How many streams a second, beside as many straight to the target. */
  void rate(String way, int port, Between between) throws Exception {
    double direct = streams / live(target.port(), streams);
    Between.Amounts before = between.cpu();
    double through = streams / live(port, streams);
    Between.Amounts cpu = between.cpu().since(before).each(used -> used / streams * 10_000);
    Map<String, Double> numbers =
        new TreeMap<>(Map.of("per_second", through, "direct_per_second", direct));
    cpu.into(numbers, "_cpu_s_per_10000");
    figures.add(
        way + ", connect, echo of 1 KiB, close, 8 at a time",
        Figures.number("%.0f/s", through)
            + Figures.number(" (%.2f of direct", through / direct)
            + Figures.number(" %.0f/s); ", direct)
            + cpu.text("%.2f")
            + " CPU s per 10,000",
        numbers);
  }

  /** Returns how many seconds they took. */
  private static double live(int port, int streams) throws Exception {
    AtomicInteger left = new AtomicInteger(streams);
    ConcurrentLinkedQueue<IOException> errors = new ConcurrentLinkedQueue<>();
    List<Thread> threads = new ArrayList<>();
    long begin = System.nanoTime();
    for (int i = 0; i < CALLERS; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      while (left.getAndDecrement() > 0) {
                        StreamTarget.live(port);
                      }
                    } catch (IOException e) {
                      errors.add(e);
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!errors.isEmpty()) {
      throw errors.peek();
    }
    return (System.nanoTime() - begin) / 1e9;
  }
}
