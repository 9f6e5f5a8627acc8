package io.pipeops.agent.metrics;

import com.codahale.metrics.Counting;
import com.codahale.metrics.Gauge;
import com.codahale.metrics.Metric;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes the Prometheus text format 0.0.4. */
final class PrometheusText {
  static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

  private static final Logger log = LoggerFactory.getLogger(PrometheusText.class);
  private static final double[] QUANTILES = {0.5, 0.9, 0.99};

  private final StringBuilder out = new StringBuilder(8192);

  /** All metrics of the bundles; those of several owners are added up. */
  PrometheusText add(List<SeriesRegistry.Shown> metrics) {
    for (SeriesRegistry.Shown metric : metrics) {
      boolean[] begun = new boolean[1];
      metric
          .series()
          .forEach(
              (labels, owners) -> {
                if (metric.kind() == Kind.SUMMARY) {
                  begin(begun, metric);
                  summary(metric.name(), labels, owners);
                } else {
                  double sum = sum(metric.name(), owners);
                  if (!Double.isNaN(sum)) {
                    begin(begun, metric);
                    sample(metric.name(), labels, sum);
                  }
                }
              });
    }
    return this;
  }

  private void begin(boolean[] begun, SeriesRegistry.Shown metric) {
    if (!begun[0]) {
      begun[0] = true;
      head(metric.name(), metric.help(), metric.kind());
    }
  }

  PrometheusText head(String name, String help, Kind kind) {
    out.append("# HELP ")
        .append(name)
        .append(' ')
        .append(help.replace("\\", "\\\\").replace("\n", "\\n"))
        .append("\n# TYPE ")
        .append(name)
        .append(' ')
        .append(kind.text())
        .append('\n');
    return this;
  }

  /**
   * @param labels text without braces; may be empty
   */
  PrometheusText sample(String name, String labels, double value) {
    out.append(name);
    if (!labels.isEmpty()) {
      out.append('{').append(labels).append('}');
    }
    out.append(' ').append(number(value)).append('\n');
    return this;
  }

  /** NaN if no owner had a value. */
  private static double sum(String name, List<Metric> owners) {
    double sum = Double.NaN;
    for (Metric metric : owners) {
      double value = value(name, metric);
      if (!Double.isNaN(value)) {
        sum = Double.isNaN(sum) ? value : sum + value;
      }
    }
    return sum;
  }

  private static double value(String name, Metric metric) {
    if (metric instanceof Counting counting) {
      return counting.getCount();
    }
    try {
      return ((Gauge<?>) metric).getValue() instanceof Number number
          ? number.doubleValue()
          : Double.NaN;
    } catch (RuntimeException e) {
      log.debug("Gauge name={} has no value: {}", name, e.toString());
      return Double.NaN;
    }
  }

  private void summary(String name, String labels, List<Metric> owners) {
    long count = 0;
    double sum = 0;
    long[] values = new long[0];
    for (Metric metric : owners) {
      Spread spread = (Spread) metric;
      count += spread.getCount();
      sum += spread.sum();
      long[] more = spread.getSnapshot().getValues();
      int old = values.length;
      values = Arrays.copyOf(values, old + more.length);
      System.arraycopy(more, 0, values, old, more.length);
    }
    Arrays.sort(values);
    String comma = labels.isEmpty() ? "" : ",";
    for (double quantile : QUANTILES) {
      double value =
          values.length == 0
              ? Double.NaN
              : values[(int) Math.ceil(quantile * values.length) - 1] * Spread.UNIT;
      sample(name, labels + comma + "quantile=\"" + quantile + "\"", value);
    }
    sample(name + "_sum", labels, sum);
    sample(name + "_count", labels, count);
  }

  private static String number(double value) {
    if (value == Math.rint(value) && Math.abs(value) < 1L << 53) {
      return Long.toString((long) value);
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "+Inf" : "-Inf";
    }
    return Double.toString(value);
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
