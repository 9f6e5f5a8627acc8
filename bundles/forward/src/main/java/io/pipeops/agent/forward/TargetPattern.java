package io.pipeops.agent.forward;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which services are meant by {@code service.namespace:port}. In names a {@code *} stands for any
 * text; the port is a number, a range, or {@code *}. What is not understood means nothing: in a
 * list of what is allowed that is the safe side, and it is told once.
 */
record TargetPattern(String service, String namespace, int from, int to) {
  private static final Logger log = LoggerFactory.getLogger(TargetPattern.class);
  private static final TargetPattern NOTHING = new TargetPattern("", "", 1, 0);
  private static final int LAST_PORT = 65535;

  static TargetPattern parse(String text) {
    if (text.equals("*")) {
      return new TargetPattern("*", "*", 1, LAST_PORT);
    }
    int colon = text.lastIndexOf(':');
    int dot = text.indexOf('.');
    if (dot > 0 && colon > dot + 1 && colon < text.length() - 1) {
      int[] ports = ports(text.substring(colon + 1));
      if (ports != null) {
        return new TargetPattern(
            text.substring(0, dot), text.substring(dot + 1, colon), ports[0], ports[1]);
      }
    }
    log.warn(
        "A target in forward.allowed_targets or forward.denied_targets is not understood and means"
            + " nothing: {} (write service.namespace:port, such as *.db:5432)",
        text);
    return NOTHING;
  }

  private static int[] ports(String text) {
    if (text.equals("*")) {
      return new int[] {1, LAST_PORT};
    }
    int dash = text.indexOf('-');
    try {
      int from = Integer.parseInt(dash < 0 ? text : text.substring(0, dash));
      int to = dash < 0 ? from : Integer.parseInt(text.substring(dash + 1));
      return from >= 1 && to <= LAST_PORT && from <= to ? new int[] {from, to} : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  boolean matches(String name, String space, int port) {
    return port >= from && port <= to && matches(service, name) && matches(namespace, space);
  }

  /** Compares piece by piece, without going back more than once: linear for any pattern. */
  private static boolean matches(String pattern, String text) {
    int p = 0;
    int t = 0;
    int star = -1;
    int mark = 0;
    while (t < text.length()) {
      if (p < pattern.length() && pattern.charAt(p) == '*') {
        star = p++;
        mark = t;
      } else if (p < pattern.length() && pattern.charAt(p) == text.charAt(t)) {
        p++;
        t++;
      } else if (star >= 0) {
        p = star + 1;
        t = ++mark;
      } else {
        return false;
      }
    }
    while (p < pattern.length() && pattern.charAt(p) == '*') {
      p++;
    }
    return p == pattern.length();
  }
}
