package io.pipeops.agent.metrics;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Name and labels of one series, checked.
 *
 * @param name the metric's name
 * @param labels the labels as Prometheus text without braces, sorted by name; empty if there are
 *     none
 */
record Series(String name, String labels) {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]*");
  private static final Pattern LABEL = Pattern.compile("[a-zA-Z][a-zA-Z0-9_]*");
  private static final int MAX_LABEL_VALUE = 200;

  /**
   * Checks and orders what a bundle gave.
   *
   * @throws IllegalArgumentException if Prometheus would not take it
   */
  static Series of(Kind kind, String name, String... labels) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("metric name '" + name + "' must match " + NAME);
    }
    if (kind == Kind.COUNTER && !name.endsWith("_total")) {
      throw new IllegalArgumentException("counter name '" + name + "' must end in _total");
    }
    if (kind == Kind.SUMMARY && (name.endsWith("_count") || name.endsWith("_sum"))) {
      throw new IllegalArgumentException(
          "distribution name '" + name + "' must not end in _count or _sum");
    }
    if (labels.length % 2 != 0) {
      throw new IllegalArgumentException(
          "labels of " + name + " must be pairs of name and value: " + Arrays.toString(labels));
    }
    Map<String, String> sorted = new TreeMap<>();
    for (int i = 0; i < labels.length; i += 2) {
      String label = labels[i];
      if (!LABEL.matcher(label).matches() || label.equals("quantile") || label.equals("le")) {
        throw new IllegalArgumentException("label name '" + label + "' of " + name + " is no good");
      }
      if (sorted.put(label, cut(labels[i + 1])) != null) {
        throw new IllegalArgumentException("label '" + label + "' of " + name + " occurs twice");
      }
    }
    StringBuilder text = new StringBuilder();
    sorted.forEach(
        (label, value) ->
            text.append(text.isEmpty() ? "" : ",")
                .append(label)
                .append("=\"")
                .append(escape(value))
                .append('"'));
    return new Series(name, text.toString());
  }

  private static String cut(String value) {
    return value.length() > MAX_LABEL_VALUE ? value.substring(0, MAX_LABEL_VALUE) : value;
  }

  private static String escape(String value) {
    return value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
  }
}
