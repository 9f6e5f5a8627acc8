package io.pipeops.agent.provision.settings;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a value of the existing agent becomes a value of ours. */
enum Conversion {
  NONE,
  /** A Go duration, or a number of seconds, becomes seconds; a rest counts as a whole one. */
  SECONDS,
  /** A Go duration, or a number of milliseconds, becomes milliseconds. */
  MILLIS,
  /** A number of hours becomes seconds. */
  HOURS,
  /** True becomes false. */
  INVERT,
  /** A number of attempts, where the existing agent takes three for none. */
  ATTEMPTS,
  /** Names of log levels that the existing agent's library has and ours has not. */
  LEVEL;

  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,12}");
  private static final Pattern DURATION =
      Pattern.compile("(?:[0-9]{1,12}(?:\\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h)){1,6}");
  private static final Pattern PART =
      Pattern.compile("([0-9]{1,12}(?:\\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)");

  static Conversion named(String name) {
    return name.isEmpty() ? NONE : valueOf(name.toUpperCase(Locale.ROOT));
  }

  /**
   * Converts one value.
   *
   * @throws IllegalArgumentException with a reason that can be shown
   */
  String convert(String text) {
    String value = text.strip();
    return switch (this) {
      case NONE -> text;
      case SECONDS -> NUMBER.matcher(value).matches() ? value : inUnits(value, "s");
      case MILLIS -> NUMBER.matcher(value).matches() ? value : inUnits(value, "ms");
      case HOURS -> hours(value);
      case INVERT -> inverted(value);
      case ATTEMPTS -> value.equals("0") || value.startsWith("-") ? "3" : value;
      case LEVEL -> level(value);
    };
  }

  /** Whether it makes a length of time, of which the existing agent takes any. */
  boolean time() {
    return this == SECONDS || this == MILLIS || this == HOURS;
  }

  private static String inUnits(String text, String unit) {
    if (!DURATION.matcher(text).matches()) {
      throw new IllegalArgumentException("is not a duration such as 500ms, 30s or 5m");
    }
    BigDecimal nanos = BigDecimal.ZERO;
    Matcher parts = PART.matcher(text);
    while (parts.find()) {
      nanos = nanos.add(new BigDecimal(parts.group(1)).multiply(nanos(parts.group(2))));
    }
    return nanos.divide(nanos(unit), 0, RoundingMode.CEILING).toPlainString();
  }

  private static BigDecimal nanos(String unit) {
    return BigDecimal.valueOf(
        switch (unit) {
          case "ns" -> 1L;
          case "us", "µs" -> 1_000L;
          case "ms" -> 1_000_000L;
          case "s" -> 1_000_000_000L;
          case "m" -> 60_000_000_000L;
          default -> 3_600_000_000_000L;
        });
  }

  private static String hours(String text) {
    if (!NUMBER.matcher(text).matches()) {
      throw new IllegalArgumentException("is not a number of hours");
    }
    return Long.toString(Long.parseLong(text) * 3600);
  }

  private static String inverted(String text) {
    return Boolean.toString(!((Boolean) SettingType.BOOLEAN.parse(text)));
  }

  private static String level(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "warning" -> "warn";
      case "fatal", "panic" -> "error";
      default -> text;
    };
  }
}
