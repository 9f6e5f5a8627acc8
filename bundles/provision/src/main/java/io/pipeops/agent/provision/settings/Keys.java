package io.pipeops.agent.provision.settings;

import java.util.List;
import java.util.Locale;

/** How names of settings are written, compared, and likened to each other. */
public final class Keys {
  private static final List<String> ROOTS = List.of("io.pipeops.agent.", "io.pipeops.");

  /** Longer texts are no names of ours and would only make comparing slow. */
  private static final int COMPARED = 128;

  private Keys() {}

  /** One form for all spellings of a key: case is ignored, and so is which of . _ - divides. */
  public static String normal(String key) {
    return key.strip().toLowerCase(Locale.ROOT).replace('_', '.').replace('-', '.');
  }

  /** The section of a settings file that a PID's settings stand in. */
  public static String section(String pid) {
    for (String root : ROOTS) {
      if (pid.startsWith(root)) {
        return pid.substring(root.length());
      }
    }
    return pid;
  }

  /** How the reference and messages write a setting's key: {@code tunnel.drain_seconds}. */
  public static String display(String pid, String attribute) {
    return section(pid) + "." + attribute.replace('.', '_').replace('-', '_');
  }

  /** A key as environment variable, without a prefix. */
  public static String environment(String key) {
    return key.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
  }

  /** The known key that the given one most probably stands for; empty if none is near. */
  static String nearest(String key, Iterable<String> known) {
    String wanted = clip(normal(key));
    int limit = Math.max(2, wanted.length() / 3);
    String best = "";
    for (String candidate : known) {
      int distance = distance(wanted, clip(normal(candidate)), limit);
      if (distance < limit) {
        limit = distance;
        best = candidate;
      }
    }
    return best;
  }

  private static String clip(String text) {
    return text.substring(0, Math.min(text.length(), COMPARED));
  }

  /** Levenshtein's distance, given up as soon as it cannot be below the limit any more. */
  static int distance(String left, String right, int limit) {
    if (Math.abs(left.length() - right.length()) >= limit) {
      return limit;
    }
    int[] previous = new int[right.length() + 1];
    int[] current = new int[right.length() + 1];
    for (int j = 0; j < previous.length; j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= left.length(); i++) {
      current[0] = i;
      int least = i;
      for (int j = 1; j <= right.length(); j++) {
        int change = left.charAt(i - 1) == right.charAt(j - 1) ? 0 : 1;
        current[j] = Math.min(Math.min(current[j - 1], previous[j]) + 1, previous[j - 1] + change);
        least = Math.min(least, current[j]);
      }
      if (least >= limit) {
        return limit;
      }
      int[] swap = previous;
      previous = current;
      current = swap;
    }
    return previous[right.length()];
  }
}
