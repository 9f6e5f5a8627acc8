package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Await;
import java.io.Closeable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Healthy callers alone, then beside clients that have asked for a large answer and read nothing,
 * then alone again, so that a machine that grows faster or slower meanwhile does not show as their
 * doing.
 */
final class StalledRows {
  private static final int STALLED = 100;
  private static final int HEALTHY = 16;
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final String PATH = "/api/small";

  private final Figures figures;
  private final int seconds;
  private final int warmUpWindows;

  StalledRows(Figures figures, int seconds) {
    this.figures = figures;
    this.seconds = seconds;
    this.warmUpWindows = new Comparison(figures, seconds).warmUpWindows();
  }

  /**
   * Memory in MiB; what is resident has garbage in it, which the run time has not collected yet.
   */
  private record Added(Between.Amounts resident, Between.Amounts heap) {}

  /** A client that has asked for a large answer and will not read it. */
  private interface Stalled {
    Closeable ask() throws Exception;
  }

  /** Requests to the Kubernetes API, by streams. */
  void api(String way, Target target, Place through, Between between) throws Exception {
    row(
        way,
        through.getting(PATH),
        () -> {
          Caller caller = through.open();
          caller.ask(through.prefix() + "/api/large");
          return caller;
        },
        target.large(),
        between);
  }

  /** TCP connections; the healthy ones carry HTTP. */
  void port(String way, StreamTarget target, int streamPort, Place web, Between between)
      throws Exception {
    row(
        way,
        web.getting(PATH),
        () -> {
          Load.Call call = StreamTarget.stalled(streamPort).open();
          call.ask();
          return call;
        },
        target.large(),
        between);
  }

  private void row(String way, Load.Opening healthy, Stalled stalled, Large large, Between between)
      throws Exception {
    Load.warmUp(healthy, HEALTHY, warmUpWindows, between);
    Load.Result alone = run(healthy, between);
    Between.Amounts resident = between.resident();
    Between.Amounts heap = between.heap();
    long written = large.written();
    Load.Result beside;
    Added added;
    int waiting;
    List<Closeable> clients = new ArrayList<>();
    try {
      for (int i = 0; i < STALLED; i++) {
        clients.add(stalled.ask());
      }
      Await.until("answers begin", LIMIT, () -> large.underWay() >= STALLED);
      Await.until("answers are held up", LIMIT, () -> still(large));
      beside = run(healthy, between);
      Between.Amounts grown = between.resident().since(resident);
      added = new Added(grown, between.heap().since(heap));
      waiting = large.underWay();
    } finally {
      for (Closeable client : clients) {
        client.close();
      }
    }
    double onTheWay = (large.written() - written) / (double) STALLED / (1 << 20);
    Await.until("the large answers are over", LIMIT, () -> large.underWay() == 0);
    alone = alone.and(run(healthy, between));
    report(way, alone, beside, added, waiting, onTheWay);
  }

  private Load.Result run(Load.Opening healthy, Between between) throws Exception {
    return Load.run(healthy, HEALTHY, seconds, between);
  }

  private static boolean still(Large large) {
    long before = large.written();
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(2));
    return large.written() == before;
  }

  private void report(
      String way,
      Load.Result alone,
      Load.Result beside,
      Added added,
      int waiting,
      double onTheWay) {
    double with = beside.millis(0.99);
    double without = alone.millis(0.99);
    Map<String, Double> numbers =
        new TreeMap<>(
            Map.of(
                "p99_ms",
                with,
                "alone_p99_ms",
                without,
                "p99_ratio",
                with / without,
                "per_second",
                beside.rate(),
                "alone_per_second",
                alone.rate(),
                "stalled_at_the_end",
                (double) waiting,
                "mib_taken_of_each",
                onTheWay));
    added.resident.into(numbers, "_resident_added_mib");
    added.heap.into(numbers, "_heap_added_mib");
    figures.add(
        way + ", " + HEALTHY + " callers beside " + STALLED + " stalled readers",
        Figures.number("p99 %.2f ms", with)
            + Figures.number(", alone %.2f ms", without)
            + Figures.number(" (ratio %.2f); ", with / without)
            + Figures.number("%.0f/s", beside.rate())
            + Figures.number(", alone %.0f/s; resident ", alone.rate())
            + added.resident.text("%+.0f")
            + (added.heap.byName().isEmpty()
                ? ""
                : ", heap after a collection " + added.heap.text("%+.0f"))
            + " MiB; "
            + waiting
            + Figures.number(" still wait, %.1f MiB taken of each", onTheWay),
        numbers);
  }
}
