package io.pipeops.agent.sandbox;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Walks over the fields of one protobuf message. Everything is checked against its end. */
final class WireReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int LENGTH = 2;
  private static final int FIXED32 = 5;

  private final byte[] bytes;
  private final int end;
  private int at;
  private int number;
  private int type;
  private boolean pending;

  WireReader(byte[] bytes, int from, int end) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  /** Goes to the next field, over the present one if nobody read it. */
  boolean next() {
    if (pending) {
      skip();
    }
    if (at >= end) {
      return false;
    }
    long tag = varint();
    number = (int) (tag >>> 3);
    type = (int) (tag & 7);
    pending = true;
    return true;
  }

  int number() {
    return number;
  }

  private void skip() {
    switch (type) {
      case VARINT -> varint();
      case FIXED64 -> advance(8);
      case FIXED32 -> advance(4);
      case LENGTH -> advance(length());
      default -> throw ProtobufBody.malformed("wire type " + type);
    }
    pending = false;
  }

  private void advance(int count) {
    if (count > end - at) {
      throw ProtobufBody.malformed("a field ends after its message");
    }
    at += count;
  }

  private int length() {
    long length = varint();
    if (length < 0 || length > end - at) {
      throw ProtobufBody.malformed("a field ends after its message");
    }
    return (int) length;
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at >= end) {
        throw ProtobufBody.malformed("it ends within a number");
      }
      byte next = bytes[at++];
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw ProtobufBody.malformed("a number is too long");
  }

  private void expect(int wanted) {
    if (type != wanted) {
      throw ProtobufBody.malformed("field %d has wire type %d".formatted(number, type));
    }
    pending = false;
  }

  long integer() {
    expect(VARINT);
    return varint();
  }

  byte[] bytes() {
    expect(LENGTH);
    int length = length();
    at += length;
    return Arrays.copyOfRange(bytes, at - length, at);
  }

  String text() {
    return new String(bytes(), StandardCharsets.UTF_8);
  }

  WireReader message() {
    expect(LENGTH);
    int length = length();
    at += length;
    return new WireReader(bytes, at - length, at);
  }
}
