package io.pipeops.hub.kube;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Decodes the path of a request as it came over the wire, and refuses what two programs could read
 * in two ways. Agents get paths decoded (protocol 3.5.4), so an encoded slash or a dot segment
 * would become a real one on the way.
 */
public final class RawPath {
  private RawPath() {}

  /** A path that is refused; the message says why and quotes nothing. */
  public static final class RefusedException extends Exception {
    private static final long serialVersionUID = 1L;

    RefusedException(String message) {
      super(message);
    }
  }

  /**
   * Decodes once.
   *
   * @param raw percent-encoded path, without the query
   */
  public static String decode(String raw) throws RefusedException {
    if (!raw.startsWith("/")) {
      throw new RefusedException("the path does not begin with a slash");
    }
    byte[] out = new byte[raw.length()];
    int length = 0;
    for (int i = 0; i < raw.length(); i++) {
      char c = raw.charAt(i);
      int b = c;
      if (c == '%') {
        b = hex(raw, i + 1) << 4 | hex(raw, i + 2);
        i += 2;
        if (b == '/') {
          throw new RefusedException("the path contains an encoded slash");
        }
      } else if (c > 0x7e) {
        throw new RefusedException("the path contains characters that are not encoded");
      }
      if (b < 0x20 || b == 0x7f) {
        throw new RefusedException("the path contains control characters");
      }
      if (b == '\\') {
        throw new RefusedException("the path contains a backslash");
      }
      out[length++] = (byte) b;
    }
    String path;
    try {
      path = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(out, 0, length)).toString();
    } catch (CharacterCodingException e) {
      throw new RefusedException("the path is not UTF-8");
    }
    checkSegments(path);
    return path;
  }

  private static int hex(String raw, int index) throws RefusedException {
    int digit = index < raw.length() ? Character.digit(raw.charAt(index), 16) : -1;
    if (digit < 0 || raw.charAt(index) > 'f') {
      throw new RefusedException("the path contains a broken percent encoding");
    }
    return digit;
  }

  private static void checkSegments(String path) throws RefusedException {
    int start = 1;
    while (start < path.length()) {
      int end = path.indexOf('/', start);
      if (end < 0) {
        end = path.length();
      }
      if (end == start) {
        throw new RefusedException("the path contains a double slash");
      }
      String segment = path.substring(start, end);
      int parameters = segment.indexOf(';');
      String name = parameters < 0 ? segment : segment.substring(0, parameters);
      if (name.equals(".") || name.equals("..")) {
        throw new RefusedException("the path contains a dot segment");
      }
      start = end + 1;
    }
    for (int i = 0; i < path.length(); i++) {
      if (Character.isISOControl(path.charAt(i))) {
        throw new RefusedException("the path contains control characters");
      }
    }
  }
}
