package io.pipeops.agent.protocol;

import io.pipeops.agent.api.link.JsonText;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Goes through the fields of one JSON object:
 *
 * <pre>{@code
 * while (in.next()) {
 *   switch (in.name()) {
 *     case "path" -> path = in.text();
 *     default -> {}
 *   }
 * }
 * }</pre>
 *
 * What is not asked for is stepped over, but checked. A value of another type than the one asked
 * for counts as missing. For one thread.
 */
final class JsonFields {
  /** No number that means something to the protocol is longer. */
  private static final int MAX_NUMBER = 64;

  private final JsonScan scan;
  private final int length;
  private final String what;
  private boolean begun;
  private String name = "";
  private int start;
  private int end;
  private boolean escaped;

  JsonFields(byte[] bytes, int offset, int length, String what) {
    this.scan = new JsonScan(bytes, offset, length, what);
    this.length = length;
    this.what = what;
  }

  /** The fields of a payload; an empty one has none. */
  JsonFields(JsonText text, String what) {
    this(text.bytes(), text.offset(), text.length(), what);
  }

  private JsonFields(JsonFields from) {
    this.scan = from.scan;
    this.length = from.length;
    this.what = from.what;
    this.begun = true;
    this.name = from.name;
    this.start = from.start;
    this.end = from.end;
    this.escaped = from.escaped;
  }

  /** The present field for later use, when this has moved on. */
  JsonFields keep() {
    return new JsonFields(this);
  }

  /**
   * Moves to the next field.
   *
   * @return false after the last one, when nothing but white space follows the object
   */
  boolean next() throws ProtocolException {
    if (!begun) {
      begun = true;
      if (length == 0) {
        return false;
      }
      if (scan.peek() != '{') {
        throw new ProtocolException(what + ": not a JSON object");
      }
      scan.at++;
      if (scan.peek() == '}') {
        return finish();
      }
    } else {
      if (scan.peek() == '}') {
        return finish();
      }
      scan.expect(',');
    }
    if (scan.peek() != '"') {
      throw scan.malformed();
    }
    int from = scan.at + 1;
    scan.skipString();
    name = scan.text(from, scan.at - 1, scan.escaped);
    scan.expect(':');
    scan.peek();
    start = scan.at;
    scan.skipValue();
    end = scan.at;
    escaped = scan.escaped;
    return true;
  }

  private boolean finish() throws ProtocolException {
    scan.at++;
    if (scan.peek() >= 0) {
      throw new ProtocolException(what + ": something follows the JSON object");
    }
    return false;
  }

  String name() {
    return name;
  }

  private byte first() {
    return scan.bytes[start];
  }

  boolean isText() {
    return first() == '"';
  }

  boolean isObject() {
    return first() == '{';
  }

  boolean isArray() {
    return first() == '[';
  }

  boolean isNull() {
    return first() == 'n';
  }

  boolean isNumber() {
    return first() == '-' || (first() >= '0' && first() <= '9');
  }

  /** A string; empty for any other type. */
  String text() {
    return isText() ? scan.text(start + 1, end - 1, escaped) : "";
  }

  /** JSON {@code true}; false for anything else. */
  boolean bool() {
    return first() == 't';
  }

  /** A number as it is; NaN for any other type. */
  double real() {
    if (!isNumber() || end - start > MAX_NUMBER) {
      return Double.NaN;
    }
    return Double.parseDouble(digits());
  }

  private String digits() {
    return new String(scan.bytes, start, end - start, StandardCharsets.US_ASCII);
  }

  /** A number cut to a whole one; the default for other types and what is out of range. */
  long number(long otherwise) {
    if (!isNumber()) {
      return otherwise;
    }
    if (end - start <= 18) {
      try {
        return Long.parseLong(digits());
      } catch (NumberFormatException e) {
        // It has a fraction or an exponent.
      }
    }
    double value = real();
    return Math.abs(value) < 1L << 53 ? (long) value : otherwise;
  }

  /** As {@link #number}, for a value that must fit an int; 0 if it does not. */
  int integer() {
    long value = number(0);
    return value == (int) value ? (int) value : 0;
  }

  /** The value's own JSON text, a slice of the buffer. */
  JsonText json() {
    return new JsonText(scan.bytes, start, end - start);
  }

  /**
   * Decodes a base64 string straight from the buffer; null for any other type.
   *
   * @throws ProtocolException if the string is not base64
   */
  ByteBuffer base64() throws ProtocolException {
    if (!isText()) {
      return null;
    }
    try {
      if (!escaped) {
        return Base64.getDecoder().decode(ByteBuffer.wrap(scan.bytes, start + 1, end - start - 2));
      }
      // Line ends, which Go's decoder passes over, or escaped slashes.
      String text = text().replace("\r", "").replace("\n", "");
      return ByteBuffer.wrap(Base64.getDecoder().decode(text));
    } catch (IllegalArgumentException e) {
      throw new ProtocolException(what + ": " + name + " is not valid base64");
    }
  }

  /** The string's bytes in UTF-8; null for any other type. */
  ByteBuffer utf8() {
    if (!isText()) {
      return null;
    }
    return escaped
        ? ByteBuffer.wrap(text().getBytes(StandardCharsets.UTF_8))
        : ByteBuffer.wrap(scan.bytes, start + 1, end - start - 2).slice();
  }

  /** A header map (protocol 0.2); none for any other type. */
  Headers headers() throws ProtocolException {
    return isObject() ? Json.with(json(), what + ": headers", Headers::read) : Headers.EMPTY;
  }
}
