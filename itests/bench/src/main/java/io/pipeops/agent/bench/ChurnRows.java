package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Streams that are opened and dropped in the middle, and requests that end well, for a long time:
 * what is leaked by either shows in the heap after a collection and in the number of threads.
 */
final class ChurnRows {
  private static final int CALLERS = 8;
  private static final long SAMPLE_SECONDS = 15;

  /** So that the run measures leaks and not how much the machine can do. */
  private static final long PAUSE_MS = 100;

  private final Figures figures;
  private final Spine spine;
  private final AtomicLong dropped = new AtomicLong();
  private final AtomicLong finished = new AtomicLong();
  private final AtomicLong failed = new AtomicLong();

  ChurnRows(Figures figures, Spine spine) {
    this.figures = figures;
    this.spine = spine;
  }

  /** One look at both processes. */
  private record Sample(
      double minute, double agentHeap, double hubHeap, double agentThreads, double hubThreads) {}

  /**
   * Runs and draws.
   *
   * @param picture the SVG file to write
   */
  void run(int minutes, Path picture) throws Exception {
    Place through = Place.through(spine);
    long begin = System.nanoTime();
    long end = begin + TimeUnit.MINUTES.toNanos(minutes);
    List<Thread> callers = new ArrayList<>();
    for (int i = 0; i < CALLERS; i++) {
      callers.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (System.nanoTime() < end) {
                      try (Caller caller = through.open()) {
                        caller.get(through.prefix() + "/api/small");
                        finished.incrementAndGet();
                        caller.begin(through.prefix() + "/api/endless");
                        dropped.incrementAndGet();
                      } catch (IOException e) {
                        failed.incrementAndGet();
                      }
                      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(PAUSE_MS));
                    }
                  }));
    }
    List<Sample> samples = new ArrayList<>();
    while (System.nanoTime() < end) {
      LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(SAMPLE_SECONDS));
      samples.add(sample((System.nanoTime() - begin) / 60e9));
    }
    for (Thread caller : callers) {
      caller.join();
    }
    report(minutes, samples);
    new Curve("Heap after a collection, MiB", "minutes")
        .line("agent", samples.stream().map(s -> new double[] {s.minute, s.agentHeap}).toList())
        .line("hub", samples.stream().map(s -> new double[] {s.minute, s.hubHeap}).toList())
        .below("Threads of the operating system")
        .line("agent", samples.stream().map(s -> new double[] {s.minute, s.agentThreads}).toList())
        .line("hub", samples.stream().map(s -> new double[] {s.minute, s.hubThreads}).toList())
        .write(picture);
    System.out.println("Curves: " + picture.toAbsolutePath());
  }

  private void report(int minutes, List<Sample> samples) {
    // The first quarter is the run time finding its size.
    Sample from = samples.get(samples.size() / 4);
    Sample to = samples.get(samples.size() - 1);
    figures.add(
        minutes + " min, streams dropped in the middle",
        dropped
            + " dropped, "
            + finished
            + " requests, "
            + failed
            + Figures.number(" failed; heap after a collection agent %.1f", from.agentHeap)
            + Figures.number(" to %.1f", to.agentHeap)
            + Figures.number(", hub %.1f", from.hubHeap)
            + Figures.number(" to %.1f MiB", to.hubHeap)
            + Figures.number("; threads agent %.0f", from.agentThreads)
            + Figures.number(" to %.0f", to.agentThreads)
            + Figures.number(", hub %.0f", from.hubThreads)
            + Figures.number(" to %.0f", to.hubThreads),
        Map.of(
            "dropped", (double) dropped.get(),
            "failed", (double) failed.get(),
            "agent_heap_mib_from", from.agentHeap,
            "agent_heap_mib_to", to.agentHeap,
            "hub_heap_mib_from", from.hubHeap,
            "hub_heap_mib_to", to.hubHeap));
  }

  private Sample sample(double minute) throws Exception {
    long agent = spine.agent().process().pid();
    long hub = spine.hub().process().pid();
    return new Sample(minute, Memory.heap(agent), Memory.heap(hub), threads(agent), threads(hub));
  }

  private static double threads(long pid) throws IOException {
    return Cpu.number(pid, "Threads");
  }
}
