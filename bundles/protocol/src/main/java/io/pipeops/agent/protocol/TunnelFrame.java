package io.pipeops.agent.protocol;

import java.nio.ByteBuffer;

/**
 * A WebSocket message inside the tunnel (protocol 4.3): one byte of opcode, then the content.
 *
 * @param opcode 1 text, 2 binary, 8 close, 9 ping, 10 pong
 */
public record TunnelFrame(int opcode, ByteBuffer payload) {
  public static final int TEXT = 1;
  public static final int BINARY = 2;
  public static final int CLOSE = 8;
  public static final int PING = 9;
  public static final int PONG = 10;

  public static boolean isOpcode(int value) {
    return value == TEXT || value == BINARY || (value >= CLOSE && value <= PONG);
  }

  /** The content; a view with a position of its own. */
  @Override
  public ByteBuffer payload() {
    return payload.duplicate();
  }

  /**
   * Takes a frame apart without copying it.
   *
   * @throws ProtocolException if it is empty or does not begin with an opcode
   */
  public static TunnelFrame parse(ByteBuffer data) throws ProtocolException {
    ByteBuffer rest = data.duplicate();
    if (!rest.hasRemaining()) {
      throw new ProtocolException("tunnel frame: empty");
    }
    int opcode = rest.get();
    if (!isOpcode(opcode)) {
      throw new ProtocolException("tunnel frame: invalid opcode " + (opcode & 0xFF));
    }
    return new TunnelFrame(opcode, rest);
  }

  public ByteBuffer write() {
    ByteBuffer out = ByteBuffer.allocate(1 + payload.remaining());
    return out.put((byte) opcode).put(payload.duplicate()).flip();
  }
}
