package io.pipeops.agent.heartbeat;

import java.util.Map;

/** Kubernetes quantities such as {@code 250m}, {@code 16Gi} or {@code 1e3}. */
final class Quantity {
  private static final Map<String, Double> SUFFIXES =
      Map.ofEntries(
          Map.entry("n", 1e-9),
          Map.entry("u", 1e-6),
          Map.entry("m", 1e-3),
          Map.entry("", 1.0),
          Map.entry("k", 1e3),
          Map.entry("M", 1e6),
          Map.entry("G", 1e9),
          Map.entry("T", 1e12),
          Map.entry("P", 1e15),
          Map.entry("E", 1e18),
          Map.entry("Ki", 0x1p10),
          Map.entry("Mi", 0x1p20),
          Map.entry("Gi", 0x1p30),
          Map.entry("Ti", 0x1p40),
          Map.entry("Pi", 0x1p50),
          Map.entry("Ei", 0x1p60));

  private Quantity() {}

  /** The value in base units; NaN if the text is no quantity. */
  static double parse(String text) {
    int end = text.length();
    if (end > 64) {
      return Double.NaN;
    }
    while (end > 0 && Character.isLetter(text.charAt(end - 1))) {
      end--;
    }
    Double factor = SUFFIXES.get(text.substring(end));
    if (factor == null || end == 0) {
      return Double.NaN;
    }
    String number = text.substring(0, end);
    for (int i = 0; i < number.length(); i++) {
      if ("0123456789.+-eE".indexOf(number.charAt(i)) < 0) {
        return Double.NaN;
      }
    }
    try {
      return Double.parseDouble(number) * factor;
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }
}
