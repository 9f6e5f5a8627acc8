package io.pipeops.agent.protocol;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.Optional;

/** Go's duration text such as {@code 1h2m3.5s} (protocol 0.2), within Go's range of 64 bits. */
public final class GoDuration {
  private static final BigDecimal MAX = BigDecimal.valueOf(Long.MAX_VALUE);

  /** No sensible text is longer; bounds the work for a hostile one. */
  private static final int MAX_LENGTH = 128;

  private GoDuration() {}

  /**
   * Parses a duration.
   *
   * @throws ProtocolException if the text is not one or is out of range
   */
  public static Duration parse(String text) throws ProtocolException {
    return tryParse(text).orElseThrow(() -> new ProtocolException("not a duration"));
  }

  /** The duration, or nothing if the text is not one. */
  public static Optional<Duration> tryParse(String text) {
    if (text.length() > MAX_LENGTH) {
      return Optional.empty();
    }
    int at = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
    if (text.length() == at + 1 && text.charAt(at) == '0') {
      return Optional.of(Duration.ZERO);
    }
    if (text.length() == at) {
      return Optional.empty();
    }
    BigDecimal nanos = BigDecimal.ZERO;
    while (at < text.length()) {
      int start = at;
      at = skipDigits(text, at);
      int digits = at - start;
      if (at < text.length() && text.charAt(at) == '.') {
        int fraction = at + 1;
        at = skipDigits(text, fraction);
        digits += at - fraction;
      }
      int unitStart = at;
      while (at < text.length() && text.charAt(at) != '.' && !isDigit(text.charAt(at))) {
        at++;
      }
      long unit = unit(text.substring(unitStart, at));
      if (digits == 0 || unit == 0) {
        return Optional.empty();
      }
      BigDecimal part =
          new BigDecimal("0" + text.substring(start, unitStart)).multiply(BigDecimal.valueOf(unit));
      nanos = nanos.add(part.setScale(0, RoundingMode.DOWN));
      if (nanos.compareTo(MAX) > 0) {
        return Optional.empty();
      }
    }
    Duration value = Duration.ofNanos(nanos.longValueExact());
    return Optional.of(text.startsWith("-") ? value.negated() : value);
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static int skipDigits(String text, int at) {
    int end = at;
    while (end < text.length() && isDigit(text.charAt(end))) {
      end++;
    }
    return end;
  }

  private static long unit(String name) {
    return switch (name) {
      case "ns" -> 1L;
      case "us", "\u00B5s", "\u03BCs" -> 1_000L;
      case "ms" -> 1_000_000L;
      case "s" -> 1_000_000_000L;
      case "m" -> 60_000_000_000L;
      case "h" -> 3_600_000_000_000L;
      default -> 0L;
    };
  }

  /** The text Go would print: {@code 0s}, {@code 1.5ms}, {@code 1h0m3.25s}. */
  public static String format(Duration duration) {
    if (duration.isZero()) {
      return "0s";
    }
    if (duration.isNegative()) {
      return "-" + format(duration.negated());
    }
    if (duration.compareTo(Duration.ofSeconds(1)) < 0) {
      long nanos = duration.toNanos();
      return nanos < 1_000
          ? nanos + "ns"
          : nanos < 1_000_000 ? decimal(nanos, 3) + "\u00B5s" : decimal(nanos, 6) + "ms";
    }
    StringBuilder out = new StringBuilder();
    long hours = duration.toHours();
    if (hours > 0) {
      out.append(hours).append('h');
    }
    if (hours > 0 || duration.toMinutesPart() > 0) {
      out.append(duration.toMinutesPart()).append('m');
    }
    long rest = duration.toSecondsPart() * 1_000_000_000L + duration.toNanosPart();
    return out.append(decimal(rest, 9)).append('s').toString();
  }

  private static String decimal(long value, int scale) {
    return value == 0 ? "0" : BigDecimal.valueOf(value, scale).stripTrailingZeros().toPlainString();
  }
}
