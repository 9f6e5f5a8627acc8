package io.pipeops.agent.protocol;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
final class Utf8 {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long HIGH_BITS = 0x8080808080808080L;

  private Utf8() {}

  /** Refuses text that is not UTF-8, and NUL bytes at its start, which would mean UTF-16 or -32. */
  static void check(byte[] bytes, int offset, int length, String what) throws ProtocolException {
    int end = offset + length;
    for (int i = offset; i < Math.min(end, offset + 4); i++) {
      if (bytes[i] == 0) {
        throw new ProtocolException(what + ": not UTF-8");
      }
    }
    if (length > 0 && bytes[offset] < 0) {
      throw new ProtocolException(what + ": not a JSON value");
    }
    int at = offset;
    while (at < end) {
      if (end - at >= 8 && ((long) LONG.get(bytes, at) & HIGH_BITS) == 0) {
        at += 8;
      } else if (bytes[at] >= 0) {
        at++;
      } else {
        int size = sequence(bytes, at, end);
        if (size == 0) {
          throw new ProtocolException(what + ": invalid UTF-8 at byte " + (at - offset));
        }
        at += size;
      }
    }
  }

  /** The size of the valid sequence that begins with the byte above 0x7F at a place, or 0. */
  static int sequence(byte[] bytes, int at, int end) {
    int lead = bytes[at] & 0xFF;
    int size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (size == 0 || end - at < size) {
      return 0;
    }
    int second = bytes[at + 1] & 0xFF;
    int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < low || second > high) {
      return 0;
    }
    for (int i = 2; i < size; i++) {
      if ((bytes[at + i] & 0xC0) != 0x80) {
        return 0;
      }
    }
    return size;
  }

  /** Reads text after its length in two bytes. */
  static String read(ByteBuffer in, String what) throws ProtocolException {
    int length = in.remaining() < 2 ? -1 : in.getShort() & 0xFFFF;
    if (length < 0 || in.remaining() < length) {
      throw new ProtocolException(what + " is cut short");
    }
    try {
      String text =
          StandardCharsets.UTF_8.newDecoder().decode(in.slice(in.position(), length)).toString();
      in.position(in.position() + length);
      return text;
    } catch (CharacterCodingException e) {
      throw new ProtocolException(what + " is not UTF-8");
    }
  }
}
