package io.pipeops.agent.kubernetes;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * As much of DER (X.690) as it takes to look into a private key and to wrap one. Reading throws
 * {@link IllegalArgumentException} for whatever does not fit.
 */
final class Der {
  static final int INTEGER = 0x02;
  static final int OCTET_STRING = 0x04;
  static final int OID = 0x06;
  static final int SEQUENCE = 0x30;
  static final byte[] NULL = {0x05, 0x00};
  static final byte[] ZERO = {0x02, 0x01, 0x00};

  private final byte[] data;
  private final int end;
  private int at;

  private Der(byte[] data, int at, int end) {
    this.data = data;
    this.at = at;
    this.end = end;
  }

  static Der of(byte[] data) {
    return new Der(data, 0, data.length);
  }

  /** Steps over the next element and returns a reader of its content. */
  Der enter(int tag) {
    int length = header(tag);
    Der inner = new Der(data, at, at + length);
    at += length;
    return inner;
  }

  void skip(int tag) {
    int length = header(tag);
    at += length;
  }

  byte[] content(int tag) {
    Der inner = enter(tag);
    return Arrays.copyOfRange(data, inner.at, inner.end);
  }

  /** The next element with its tag and length. */
  byte[] whole(int tag) {
    int start = at;
    skip(tag);
    return Arrays.copyOfRange(data, start, at);
  }

  private int header(int tag) {
    if (next() != tag) {
      throw new IllegalArgumentException("unexpected DER element");
    }
    int length = next();
    if (length > 0x7f) {
      int bytes = length & 0x7f;
      if (bytes == 0 || bytes > 3) {
        throw new IllegalArgumentException("unsupported DER length");
      }
      length = 0;
      for (int i = 0; i < bytes; i++) {
        length = length << 8 | next();
      }
    }
    if (length > end - at) {
      throw new IllegalArgumentException("DER element is cut off");
    }
    return length;
  }

  private int next() {
    if (at >= end) {
      throw new IllegalArgumentException("DER element is cut off");
    }
    return data[at++] & 0xff;
  }

  static byte[] sequence(byte[]... parts) {
    return element(SEQUENCE, parts);
  }

  static byte[] octets(byte[] content) {
    return element(OCTET_STRING, content);
  }

  /** An object identifier element. */
  static byte[] oid(int... arcs) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(arcs[0] * 40 + arcs[1]);
    for (int i = 2; i < arcs.length; i++) {
      for (int shift = 28; shift > 0; shift -= 7) {
        if (arcs[i] >>> shift != 0) {
          out.write(arcs[i] >>> shift & 0x7f | 0x80);
        }
      }
      out.write(arcs[i] & 0x7f);
    }
    return element(OID, out.toByteArray());
  }

  /** The dotted form of an object identifier's content. */
  static String dotted(byte[] content) {
    if (content.length == 0) {
      throw new IllegalArgumentException("empty object identifier");
    }
    int first = content[0] & 0xff;
    StringBuilder text = new StringBuilder();
    text.append(Math.min(first / 40, 2)).append('.').append(first - Math.min(first / 40, 2) * 40);
    long arc = 0;
    for (int i = 1; i < content.length; i++) {
      arc = (arc << 7 | content[i] & 0x7f) & 0xffffffffL;
      if (content[i] >= 0) {
        text.append('.').append(arc);
        arc = 0;
      }
    }
    return text.toString();
  }

  private static byte[] element(int tag, byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    out.write(tag);
    if (length < 0x80) {
      out.write(length);
    } else {
      int bytes = length > 0xffff ? 3 : length > 0xff ? 2 : 1;
      out.write(0x80 | bytes);
      for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.write(length >>> shift);
      }
    }
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }
}
