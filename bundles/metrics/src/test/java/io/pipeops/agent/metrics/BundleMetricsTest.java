package io.pipeops.agent.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.metrics.Metrics;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.time.Duration;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BundleMetricsTest {
  private final SeriesRegistry registry = new SeriesRegistry();
  private final BundleMetrics first = new BundleMetrics(registry);
  private final BundleMetrics second = new BundleMetrics(registry);

  private String text() {
    return new PrometheusText().add(registry.shown()).toString();
  }

  @Test
  void showsHelpTypeAndSampleOfEachMetric() {
    first.counter("a_requests_total", "Requests\nof all\\kinds").add(3);
    first.gauge("b_open", "Open", () -> 1.5);
    assertEquals(
        """
        # HELP a_requests_total Requests\\nof all\\\\kinds
        # TYPE a_requests_total counter
        a_requests_total 3
        # HELP b_open Open
        # TYPE b_open gauge
        b_open 1.5
        """,
        text());
  }

  @Test
  void addsUpTheSeriesOfTwoBundlesAndTakesOneAway() {
    first.counter("x_total", "X", "direction", "in").add(2);
    second.counter("x_total", "X", "direction", "in").add(5);
    first.gauge("y", "Y", () -> 1);
    second.gauge("y", "Y", () -> 2);
    assertTrue(text().contains("x_total{direction=\"in\"} 7\n"));
    assertTrue(text().contains("\ny 3\n"));
    second.close();
    assertTrue(text().contains("x_total{direction=\"in\"} 2\n"));
    assertTrue(text().contains("\ny 1\n"));
    first.close();
    assertEquals("", text());
    assertEquals(0, registry.size());
  }

  @Test
  void givesTheSameCounterForTheSameSeriesWhateverTheOrderOfLabels() {
    Metrics.Counter one = first.counter("x_total", "X", "b", "2", "a", "1");
    assertSame(one, first.counter("x_total", "X", "a", "1", "b", "2"));
    one.increment();
    assertTrue(text().contains("x_total{a=\"1\",b=\"2\"} 1\n"));
  }

  @Test
  void aGaugeRegisteredAgainReplacesTheOldOne() {
    first.gauge("y", "Y", () -> 1);
    first.gauge("y", "Y", () -> 7);
    assertTrue(text().contains("\ny 7\n"));
    assertEquals(1, registry.size());
  }

  @Test
  void aCounterNeverGoesDown() {
    Metrics.Counter counter = first.counter("x_total", "X");
    counter.add(4);
    counter.add(-3);
    assertTrue(text().contains("x_total 4\n"));
  }

  @Test
  void escapesLabelValues() {
    first.counter("x_total", "X", "path", "a\\b\"c\nd").increment();
    assertTrue(text().contains("x_total{path=\"a\\\\b\\\"c\\nd\"} 1\n"));
  }

  @Test
  void showsADistributionAsSummaryOfBothBundles() {
    Metrics.Distribution mine = first.distribution("d_seconds", "D", "type", "q");
    Metrics.Distribution other = second.distribution("d_seconds", "D", "type", "q");
    IntStream.rangeClosed(1, 50).forEach(i -> mine.record(i / 100.0));
    IntStream.rangeClosed(51, 100).forEach(i -> other.record(i / 100.0));
    mine.record(Double.NaN);
    String text = text();
    assertTrue(text.contains("# TYPE d_seconds summary\n"), text);
    assertTrue(text.contains("d_seconds{type=\"q\",quantile=\"0.5\"} 0.5\n"), text);
    assertTrue(text.contains("d_seconds{type=\"q\",quantile=\"0.99\"} 0.99\n"), text);
    assertTrue(text.contains("d_seconds_count{type=\"q\"} 100\n"), text);
    assertEquals(
        50.5,
        Double.parseDouble(
            text.lines()
                .filter(line -> line.startsWith("d_seconds_sum"))
                .map(line -> line.substring(line.indexOf(' ') + 1))
                .findFirst()
                .orElseThrow()),
        1e-9);
  }

  @Test
  void anEmptyDistributionIsValidText() {
    first.distribution("d_seconds", "D");
    assertTrue(text().contains("d_seconds{quantile=\"0.5\"} NaN\n"));
    assertTrue(text().contains("d_seconds_count 0\n"));
  }

  @Test
  void leavesOutAGaugeThatThrowsAndShowsInfinity() {
    first.gauge(
        "y",
        "Y",
        () -> {
          throw new IllegalStateException("gone");
        });
    first.gauge("z", "Z", () -> Double.POSITIVE_INFINITY);
    assertFalse(text().contains("y "));
    assertTrue(text().contains("z +Inf\n"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Upper_total", "9_total", "a-b_total", "é_total", "no_total_at_end"})
  void refusesABadCounterName(String name) {
    assertThrows(IllegalArgumentException.class, () -> first.counter(name, "X"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "quantile", "le", "1a", "a b", "__name__"})
  void refusesABadLabelName(String label) {
    assertThrows(IllegalArgumentException.class, () -> first.counter("x_total", "X", label, "v"));
  }

  @Test
  void refusesHalfAPairAndAPairTwice() {
    assertThrows(IllegalArgumentException.class, () -> first.counter("x_total", "X", "a"));
    assertThrows(
        IllegalArgumentException.class, () -> first.counter("x_total", "X", "a", "1", "a", "2"));
  }

  @Test
  void anotherKindUnderATakenNameIsNotShownButWorks() {
    first.gauge("x_total", "X", () -> 9);
    second.counter("x_total", "X").increment();
    assertTrue(text().contains("x_total 9\n"));
  }

  @Test
  void labelValuesOfAPeerCannotFillTheMemory() {
    for (int i = 0; i < 2000; i++) {
      first.counter("x_total", "X", "who", "peer" + i).increment();
    }
    assertEquals(500, registry.size());
  }

  @Test
  void worksOnAfterItsBundleHasGone() {
    Metrics.Counter counter = first.counter("x_total", "X");
    first.close();
    counter.increment();
    first.counter("x_total", "X").increment();
    first.gauge("y", "Y", () -> 1);
    first.distribution("d", "D").record(1);
    assertEquals("", text());
    assertEquals(0, registry.size());
  }

  @Test
  void doesNotKeepTheClassesOfABundleThatIsGone() throws Exception {
    WeakReference<ClassLoader> loader = registerFromAnotherLoader();
    assertTrue(text().contains("leaky 42\n"));
    second.close();
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (loader.get() != null && System.nanoTime() < end) {
      System.gc();
    }
    assertNull(loader.get(), "the class loader of the bundle is still held");
  }

  /** Stands for a bundle: its gauge is a class of a loader of its own. */
  private WeakReference<ClassLoader> registerFromAnotherLoader() throws Exception {
    URL classes = getClass().getProtectionDomain().getCodeSource().getLocation();
    ClassLoader loader =
        new URLClassLoader(new URL[] {classes}, getClass().getClassLoader()) {
          @Override
          protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            return name.equals(FortyTwo.class.getName())
                ? findClass(name)
                : super.loadClass(name, resolve);
          }
        };
    var constructor = loader.loadClass(FortyTwo.class.getName()).getDeclaredConstructor();
    constructor.setAccessible(true);
    second.gauge("leaky", "L", (DoubleSupplier) constructor.newInstance());
    second.counter("leaky_total", "L").increment();
    return new WeakReference<>(loader);
  }

  static final class FortyTwo implements DoubleSupplier {
    @Override
    public double getAsDouble() {
      return 42;
    }
  }
}
