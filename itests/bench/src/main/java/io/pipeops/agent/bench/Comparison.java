package io.pipeops.agent.bench;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/** The same load through something and straight to the target, one after the other, as a row. */
final class Comparison {
  private static final double GIB = 1 << 30;

  private final Figures figures;
  private final int seconds;

  Comparison(Figures figures, int seconds) {
    this.figures = figures;
    this.seconds = seconds;
  }

  int seconds() {
    return seconds;
  }

  /** How many windows a load may take until it is warm. */
  int warmUpWindows() {
    return seconds >= 5 ? 24 : 1;
  }

  /** The first seconds of a load that was repeated until it was warm. */
  void first(String what, Load.Result result) {
    Between.Amounts cpu = result.cpuPer10000();
    Map<String, Double> numbers = new TreeMap<>(Map.of("per_second", result.rate()));
    cpu.into(numbers, "_cpu_s_per_10000");
    figures.add(
        what,
        Figures.number("%.0f/s; ", result.rate()) + cpu.text("%.1f") + " CPU s per 10,000",
        numbers);
  }

  /** How many requests a second. */
  void rate(String what, Load.Opening through, Between between, Load.Opening direct, int callers)
      throws Exception {
    Load.Result d = Load.run(direct, callers, seconds, Between.nothing());
    Load.Result t = Load.run(through, callers, seconds, between);
    figures.add(
        what,
        rateText(t, d)
            + Figures.number("; p50 %.2f ms", t.millis(0.5))
            + Figures.number(" p99 %.2f ms", t.millis(0.99))
            + Figures.number(" (direct p50 %.2f ms)", d.millis(0.5)),
        numbers(t, d));
  }

  /** How much later an answer comes, to one caller. */
  void added(String what, Load.Opening through, Between between, Load.Opening direct)
      throws Exception {
    Load.Result d = Load.run(direct, 1, seconds, Between.nothing());
    Load.Result t = Load.run(through, 1, seconds, between);
    double p50 = t.millis(0.5) - d.millis(0.5);
    double p99 = t.millis(0.99) - d.millis(0.99);
    Map<String, Double> numbers = numbers(t, d);
    numbers.put("p50_added_ms", p50);
    numbers.put("p99_added_ms", p99);
    figures.add(
        what,
        Figures.number("p50 %+.3f ms", p50)
            + Figures.number(", p99 %+.3f ms", p99)
            + Figures.number(" (direct %.3f", d.millis(0.5))
            + Figures.number(" and %.3f ms); ", d.millis(0.99))
            + rateText(t, d),
        numbers);
  }

  private static String rateText(Load.Result through, Load.Result direct) {
    return Figures.number("%.0f/s", through.rate())
        + Figures.number(" (%.2f of direct", through.rate() / direct.rate())
        + Figures.number(" %.0f/s); ", direct.rate())
        + through.cpuPer10000().text("%.2f")
        + " CPU s per 10,000";
  }

  private static Map<String, Double> numbers(Load.Result through, Load.Result direct) {
    Map<String, Double> numbers =
        new TreeMap<>(
            Map.of(
                "per_second", through.rate(),
                "direct_per_second", direct.rate(),
                "p50_ms", through.millis(0.5),
                "p99_ms", through.millis(0.99),
                "direct_p50_ms", direct.millis(0.5),
                "direct_p99_ms", direct.millis(0.99)));
    through.cpuPer10000().into(numbers, "_cpu_s_per_10000");
    return numbers;
  }

  /** Repeats transfers, too, until they are no faster any more. */
  void warmUp(Load.Opening bulk, Between between) throws Exception {
    if (warmUpWindows() > 1) {
      Load.warmUp(bulk, 1, warmUpWindows() / 4, between);
    } else {
      transfer(bulk, 1);
    }
  }

  /** Transfers of {@link Large#SIZE}, one after the other on one connection. */
  void bulk(String what, Load.Opening through, Between between, Load.Opening direct)
      throws Exception {
    int times = seconds >= 5 ? 5 : 2;
    double d = transfer(direct, times);
    Between.Amounts idle = between.resident();
    between.forgetPeak();
    Between.Amounts before = between.cpu();
    double t;
    try {
      t = transfer(through, times);
    } catch (IOException e) {
      figures.add(what, "refused: " + e.getMessage(), Map.of());
      return;
    }
    double gib = Large.SIZE * times / GIB;
    Between.Amounts cpu = between.cpu().since(before).each(used -> used / gib);
    Between.Amounts peak = between.peak().since(idle);
    Map<String, Double> numbers =
        new TreeMap<>(Map.of("mib_per_second", t, "direct_mib_per_second", d));
    cpu.into(numbers, "_cpu_s_per_gib");
    peak.into(numbers, "_peak_mib");
    figures.add(
        what,
        Figures.number("%.0f MiB/s", t)
            + Figures.number(" (%.2f of direct", t / d)
            + Figures.number(" %.0f); ", d)
            + cpu.text("%.1f")
            + " CPU s per GiB; peak "
            + peak.text("%+.0f")
            + " MiB",
        numbers);
  }

  private static double transfer(Load.Opening opening, int times) throws Exception {
    long begin = System.nanoTime();
    try (Load.Call call = opening.open()) {
      for (int i = 0; i < times; i++) {
        call.ask();
      }
    }
    return times * (Large.SIZE >> 20) / ((System.nanoTime() - begin) / 1e9);
  }
}
