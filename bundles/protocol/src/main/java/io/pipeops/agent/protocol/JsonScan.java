package io.pipeops.agent.protocol;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Finds where JSON values end, checking RFC 8259 and strict UTF-8 on the way, without building
 * anything. Most bytes of the protocol are long base64 strings that only have to be stepped over;
 * doing that eight bytes at a time is why this exists beside the parser that reads the rest.
 */
final class JsonScan {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH = 0x8080808080808080L;
  private static final long QUOTES = '"' * ONES;
  private static final long BACKSLASHES = '\\' * ONES;
  private static final long SPACES = ' ' * ONES;

  final byte[] bytes;
  private final int offset;
  private final int end;
  private final String what;

  /** Where the scan stands. */
  int at;

  /** Whether the string that was skipped last has escapes. */
  boolean escaped;

  JsonScan(byte[] bytes, int offset, int length, String what) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = offset + length;
    this.what = what;
    this.at = offset;
  }

  ProtocolException malformed() {
    return new ProtocolException(
        what
            + (at >= end
                ? ": the JSON ends too early"
                : ": malformed JSON at byte " + (at - offset)));
  }

  /** The next byte that is not white space, without taking it; -1 at the end. */
  int peek() {
    while (at < end) {
      byte b = bytes[at];
      if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
        return b & 0xFF;
      }
      at++;
    }
    return -1;
  }

  /** Takes the next byte, which has to be this one. */
  void expect(char c) throws ProtocolException {
    if (peek() != c) {
      throw malformed();
    }
    at++;
  }

  /** Steps over a whole value, however nested, without recursion. */
  void skipValue() throws ProtocolException {
    long[] arrays = new long[Json.MAX_DEPTH / 64 + 1];
    int depth = 0;
    while (true) {
      int c = peek();
      if (c == '{' || c == '[') {
        at++;
        boolean array = c == '[';
        if (peek() == (array ? ']' : '}')) {
          at++;
        } else {
          if (++depth >= Json.MAX_DEPTH) {
            throw new ProtocolException(what + ": nested deeper than " + Json.MAX_DEPTH);
          }
          long bit = 1L << depth;
          arrays[depth >> 6] = array ? arrays[depth >> 6] | bit : arrays[depth >> 6] & ~bit;
          if (!array) {
            skipName();
          }
          continue;
        }
      } else {
        skipScalar(c);
      }
      // A value is complete; close what it completes, or go on to its next sibling.
      while (depth > 0) {
        boolean array = (arrays[depth >> 6] & 1L << depth) != 0;
        c = peek();
        if (c == ',') {
          at++;
          if (!array) {
            skipName();
          }
          break;
        }
        if (c != (array ? ']' : '}')) {
          throw malformed();
        }
        at++;
        depth--;
      }
      if (depth == 0) {
        return;
      }
    }
  }

  private void skipName() throws ProtocolException {
    if (peek() != '"') {
      throw malformed();
    }
    skipString();
    expect(':');
  }

  private void skipScalar(int c) throws ProtocolException {
    switch (c) {
      case '"' -> skipString();
      case 't' -> skipWord("true");
      case 'f' -> skipWord("false");
      case 'n' -> skipWord("null");
      default -> skipNumber();
    }
  }

  private void skipWord(String word) throws ProtocolException {
    for (int i = 0; i < word.length(); i++, at++) {
      if (at >= end || bytes[at] != word.charAt(i)) {
        throw malformed();
      }
    }
  }

  private void skipNumber() throws ProtocolException {
    if (at < end && bytes[at] == '-') {
      at++;
    }
    if (at < end && bytes[at] == '0') {
      at++;
    } else {
      skipDigits();
    }
    if (at < end && bytes[at] == '.') {
      at++;
      skipDigits();
    }
    if (at < end && (bytes[at] | 0x20) == 'e') {
      at++;
      if (at < end && (bytes[at] == '+' || bytes[at] == '-')) {
        at++;
      }
      skipDigits();
    }
  }

  private void skipDigits() throws ProtocolException {
    int start = at;
    while (at < end && bytes[at] >= '0' && bytes[at] <= '9') {
      at++;
    }
    if (at == start) {
      throw malformed();
    }
  }

  /** Steps over the string whose opening quote is next. */
  void skipString() throws ProtocolException {
    escaped = false;
    at++;
    while (true) {
      skipPlain();
      if (at >= end) {
        throw malformed();
      }
      int b = bytes[at];
      if (b == '"') {
        at++;
        return;
      } else if (b == '\\') {
        escaped = true;
        skipEscape();
      } else {
        int size = b >= 0 ? 0 : Utf8.sequence(bytes, at, end);
        if (size == 0) {
          throw b >= 0
              ? malformed()
              : new ProtocolException(what + ": invalid UTF-8 at byte " + (at - offset));
        }
        at += size;
      }
    }
  }

  /**
   * Steps over printable ASCII without quotes and backslashes. Below the first byte that is
   * something else no subtraction borrows, so the lowest high bit is always a true one.
   */
  private void skipPlain() {
    int i = at;
    for (; i <= end - 8; i += 8) {
      long v = (long) LONG.get(bytes, i);
      long special = (v | ((v ^ QUOTES) - ONES) | ((v ^ BACKSLASHES) - ONES) | (v - SPACES)) & HIGH;
      if (special != 0) {
        at = i + (Long.numberOfTrailingZeros(special) >>> 3);
        return;
      }
    }
    while (i < end && bytes[i] >= ' ' && bytes[i] != '"' && bytes[i] != '\\') {
      i++;
    }
    at = i;
  }

  private void skipEscape() throws ProtocolException {
    at++;
    int b = at < end ? bytes[at] : -1;
    if (b == 'u') {
      for (int i = 0; i < 4; i++) {
        at++;
        if (at >= end || Character.digit(bytes[at], 16) < 0) {
          throw malformed();
        }
      }
    } else if (b < 0 || "\"\\/bfnrt".indexOf(b) < 0) {
      throw malformed();
    }
    at++;
  }

  /** The text of a string from after its opening to before its closing quote. */
  String text(int from, int to, boolean escapes) {
    if (!escapes) {
      return new String(bytes, from, to - from, StandardCharsets.UTF_8);
    }
    StringBuilder out = new StringBuilder(to - from);
    int plain = from;
    for (int i = from; i < to; i++) {
      if (bytes[i] == '\\') {
        out.append(new String(bytes, plain, i - plain, StandardCharsets.UTF_8));
        i++;
        if (bytes[i] == 'u') {
          out.append(
              (char) Integer.parseInt(new String(bytes, i + 1, 4, StandardCharsets.US_ASCII), 16));
          i += 4;
        } else {
          out.append(unescaped(bytes[i]));
        }
        plain = i + 1;
      }
    }
    out.append(new String(bytes, plain, to - plain, StandardCharsets.UTF_8));
    return Json.whole(out.toString());
  }

  private static char unescaped(int b) {
    return switch (b) {
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      default -> (char) b;
    };
  }
}
