package io.pipeops.agent.tunnel;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Paths and queries as they go into a request line (protocol 3.5.4, 11.2). */
final class Paths {
  private static final char[] HEX = "0123456789ABCDEF".toCharArray();
  private static final List<String> API_ROOTS =
      List.of("/api", "/apis", "/version", "/healthz", "/readyz", "/livez", "/openapi");

  private static final String PLAIN = "-_.~$&+,/:;=@";

  private Paths() {}

  /**
   * Encodes a decoded path once.
   *
   * @param keepEncoded whether a valid {@code %XX} stays as it is
   */
  static String encode(String path, boolean keepEncoded) {
    int i = 0;
    while (i < path.length() && plain(path.charAt(i))) {
      i++;
    }
    if (i == path.length()) {
      return path;
    }
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    StringBuilder out = new StringBuilder(bytes.length + 16);
    for (int at = 0; at < bytes.length; at++) {
      char c = (char) (bytes[at] & 0xFF);
      if (plain(c) || (c == '%' && keepEncoded && encoded(bytes, at))) {
        out.append(c);
      } else {
        escape(out, c);
      }
    }
    return out.toString();
  }

  /**
   * Whether any segment is {@code .} or {@code ..}, written plainly or, where that counts, as %2e.
   */
  static boolean climbs(String path, boolean encoded) {
    String text = encoded ? path.replace("%2e", ".").replace("%2E", ".") : path;
    if (encoded) {
      text = text.replace("%2f", "/").replace("%2F", "/").replace("%5c", "/").replace("%5C", "/");
    }
    for (String segment : text.split("/", -1)) {
      if (segment.equals(".") || segment.equals("..")) {
        return true;
      }
    }
    return false;
  }

  /** A service's path: empty or absolute, without {@code ..} and {@code ://}. */
  static void checkService(String path, boolean encoded) throws Failure {
    boolean absolute = path.isEmpty() || path.charAt(0) == '/';
    if (!absolute || path.contains("..") || path.contains("://") || climbs(path, encoded)) {
      throw Failure.invalid("invalid path");
    }
  }

  /** The API's path; a missing slash is put in front. Names may hold dots, but not be dots. */
  static String checkApi(String path, boolean encoded) throws Failure {
    String absolute = path.startsWith("/") ? path : "/" + path;
    if (climbs(absolute, encoded)) {
      throw Failure.invalid("invalid path");
    }
    return absolute;
  }

  /**
   * The path of an API WebSocket (protocol 11.3 with Q34), double slashes collapsed.
   *
   * @throws Failure if it is not one of the API's
   */
  static String checkApiSocket(String path) throws Failure {
    boolean plain = path.startsWith("/") && path.chars().noneMatch(c -> c == '%' || c == '\\');
    String clean = path.replaceAll("/{2,}", "/");
    if (!plain
        || path.chars().anyMatch(c -> c < ' ')
        || climbs(clean, false)
        || API_ROOTS.stream()
            .noneMatch(root -> clean.equals(root) || clean.startsWith(root + "/"))) {
      throw Failure.invalid("invalid path: must be a Kubernetes API path");
    }
    return clean;
  }

  /** A query with the characters escaped that RFC 3986 does not know. */
  static String strict(String query) {
    StringBuilder out = new StringBuilder(query.length() + 16);
    for (int i = 0; i < query.length(); i++) {
      char c = query.charAt(i);
      boolean broken =
          c == '%'
              && (i + 2 >= query.length()
                  || !hex((byte) query.charAt(i + 1))
                  || !hex((byte) query.charAt(i + 2)));
      if (broken || "\"<>\\^`{|}".indexOf(c) >= 0) {
        escape(out, c);
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  /**
   * A query for the request line: verbatim, with bytes above ASCII escaped.
   *
   * @throws Failure if it has control characters, spaces or a {@code #}
   */
  static String query(String query) throws Failure {
    boolean ascii = true;
    for (int i = 0; i < query.length(); i++) {
      char c = query.charAt(i);
      if (c <= ' ' || c == '#' || c == 0x7F) {
        throw Failure.invalid("invalid query string");
      }
      ascii &= c < 0x80;
    }
    if (ascii) {
      return query;
    }
    StringBuilder out = new StringBuilder(query.length() + 16);
    for (byte b : query.getBytes(StandardCharsets.UTF_8)) {
      if (b >= 0) {
        out.append((char) b);
      } else {
        escape(out, (char) (b & 0xFF));
      }
    }
    return out.toString();
  }

  /** The value of a query's parameter as it stands there, or null; the first one counts. */
  static String parameter(String query, String name) {
    int at = 0;
    while (at < query.length()) {
      int end = query.indexOf('&', at);
      end = end < 0 ? query.length() : end;
      if (query.startsWith(name, at)) {
        int next = at + name.length();
        if (next == end) {
          return "";
        }
        if (next < end && query.charAt(next) == '=') {
          return query.substring(next + 1, end);
        }
      }
      at = end + 1;
    }
    return null;
  }

  private static boolean plain(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || PLAIN.indexOf(c) >= 0;
  }

  private static boolean encoded(byte[] bytes, int at) {
    return at + 2 < bytes.length && hex(bytes[at + 1]) && hex(bytes[at + 2]);
  }

  private static boolean hex(byte b) {
    return Character.digit(b, 16) >= 0;
  }

  private static void escape(StringBuilder out, char c) {
    out.append('%').append(HEX[c >> 4]).append(HEX[c & 15]);
  }
}
