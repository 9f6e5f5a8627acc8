package io.pipeops.agent.http;

import java.math.BigDecimal;
import java.time.Duration;

/** The duration text of the existing agent's pages, such as {@code 1h2m3.5s} (protocol 0.2). */
final class GoDuration {
  private GoDuration() {}

  static String of(Duration duration) {
    if (duration.isZero()) {
      return "0s";
    }
    if (duration.isNegative()) {
      return "-" + of(duration.negated());
    }
    long nanos = duration.toNanosPart();
    if (duration.getSeconds() == 0) {
      if (nanos < 1_000) {
        return nanos + "ns";
      }
      return nanos < 1_000_000 ? decimal(nanos, 3) + "µs" : decimal(nanos, 6) + "ms";
    }
    long hours = duration.toHours();
    long minutes = duration.toMinutesPart();
    String seconds = decimal(duration.toSecondsPart() * 1_000_000_000L + nanos, 9) + "s";
    if (hours > 0) {
      return hours + "h" + minutes + "m" + seconds;
    }
    return minutes > 0 ? minutes + "m" + seconds : seconds;
  }

  private static String decimal(long units, int scale) {
    BigDecimal value = BigDecimal.valueOf(units, scale).stripTrailingZeros();
    return value.toPlainString();
  }
}
