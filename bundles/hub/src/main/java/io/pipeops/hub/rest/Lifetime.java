package io.pipeops.hub.rest;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How long a token is good for, as text: {@code 90m}, {@code 12h}, {@code 30d}. */
final class Lifetime {
  static final Duration DEFAULT = Duration.ofDays(30);
  static final Duration MAX = Duration.ofDays(3650);
  private static final Pattern FORM = Pattern.compile("([1-9][0-9]{0,8})([smhd])");

  private Lifetime() {}

  static Duration parse(String text) throws Problem {
    Matcher form = FORM.matcher(text);
    if (form.matches()) {
      long amount = Long.parseLong(form.group(1));
      Duration lifetime =
          switch (form.group(2)) {
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            case "h" -> Duration.ofHours(amount);
            default -> Duration.ofDays(amount);
          };
      if (lifetime.compareTo(MAX) <= 0) {
        return lifetime;
      }
    }
    throw Problem.badRequest(
        "ttl is not a lifetime", "Give ttl as a number with s, m, h or d, at most 3650d: \"30d\"");
  }
}
