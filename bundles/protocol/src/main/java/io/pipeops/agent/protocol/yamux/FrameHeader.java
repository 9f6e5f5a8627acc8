package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;

/**
 * The twelve bytes before every payload.
 *
 * @param stream 0 for ping and go away
 * @param value payload length, window delta, ping value or go-away code; unsigned
 */
record FrameHeader(int version, int type, int flags, int stream, int value) {
  static final int SIZE = 12;

  static final int DATA = 0;
  static final int WINDOW_UPDATE = 1;
  static final int PING = 2;
  static final int GO_AWAY = 3;

  static final int SYN = 1;
  static final int ACK = 2;
  static final int FIN = 4;
  static final int RST = 8;

  static final int NORMAL = 0;
  static final int PROTOCOL_ERROR = 1;
  static final int INTERNAL_ERROR = 2;

  /** Reads a header from a buffer that holds it completely. */
  static FrameHeader read(ByteBuffer in) {
    return new FrameHeader(
        in.get() & 0xFF, in.get() & 0xFF, in.getShort() & 0xFFFF, in.getInt(), in.getInt());
  }

  /** A frame without payload. */
  static ByteBuffer frame(int type, int flags, int stream, int value) {
    return put(ByteBuffer.allocate(SIZE), type, flags, stream, value).flip();
  }

  /** A data frame with the payload behind its header. */
  static ByteBuffer data(int flags, int stream, ByteBuffer payload) {
    ByteBuffer out = ByteBuffer.allocate(SIZE + payload.remaining());
    return put(out, DATA, flags, stream, payload.remaining()).put(payload).flip();
  }

  private static ByteBuffer put(ByteBuffer out, int type, int flags, int stream, int value) {
    return out.put((byte) 0).put((byte) type).putShort((short) flags).putInt(stream).putInt(value);
  }

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  /** The value as the unsigned number it is. */
  long unsigned() {
    return Integer.toUnsignedLong(value);
  }
}
