package io.pipeops.agent.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The whole page against the grammar of the text format. */
class MetricsTextTest {
  private static final Pattern SAMPLE =
      Pattern.compile(
          "[a-zA-Z_:][a-zA-Z0-9_:]*"
              + "(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\\\n]|\\\\[\\\\\"n])*\""
              + "(,[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\\\n]|\\\\[\\\\\"n])*\")*})?"
              + " (NaN|[+-]Inf|-?[0-9.]+(E-?[0-9]+)?)");
  private static final Pattern HELP = Pattern.compile("# HELP [a-z0-9_]+ .+");
  private static final Pattern TYPE =
      Pattern.compile("# TYPE ([a-z0-9_]+) (counter|gauge|summary)");

  @Test
  void everyLineIsValidAndEveryMetricHasOneType() {
    SeriesRegistry registry = new SeriesRegistry();
    BundleMetrics metrics = new BundleMetrics(registry);
    metrics.counter("a_total", "A", "k", "v{}=,\"\\\n").add(Long.MAX_VALUE / 2);
    metrics.gauge("b", "B", () -> 1e-9);
    metrics.gauge("c", "C", () -> -1e300);
    metrics.distribution("d_seconds", "D").record(0.0001);
    String text = new MetricsServlet(registry).text();
    assertTrue(text.endsWith("\n"));
    Set<String> types = new HashSet<>();
    text.lines()
        .forEach(
            line -> {
              var type = TYPE.matcher(line);
              if (type.matches()) {
                assertTrue(types.add(type.group(1)), line);
              } else {
                assertTrue(SAMPLE.matcher(line).matches() || HELP.matcher(line).matches(), line);
              }
            });
    assertTrue(types.contains("process_resident_memory_bytes"), text);
  }

  @Test
  void tellsOfTheProcess() {
    String text = new MetricsServlet(new SeriesRegistry()).text();
    for (String name :
        new String[] {
          "jvm_memory_used_bytes{area=\"heap\"}",
          "jvm_threads_current",
          "jvm_classes_currently_loaded",
          "process_cpu_seconds_total",
          "process_open_fds",
          "process_resident_memory_bytes",
          "process_start_time_seconds"
        }) {
      double value =
          text.lines()
              .filter(line -> line.startsWith(name + " "))
              .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
              .findFirst()
              .orElse(-1);
      assertTrue(value > 0, name + " " + value);
    }
  }

  @Test
  void leavesOutWhatTheSystemDoesNotTell() {
    PrometheusText text = new PrometheusText();
    new ProcessSeries(Path.of("/nowhere")).write(text);
    assertFalse(text.toString().contains("process_open_fds"));
    assertTrue(text.toString().contains("jvm_memory_used_bytes"));
    assertEquals("", new PrometheusText().toString());
  }
}
