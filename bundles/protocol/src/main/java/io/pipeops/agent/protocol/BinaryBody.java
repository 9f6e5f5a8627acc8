package io.pipeops.agent.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** A request body in a binary message of its own (protocol 3.2.3). */
public record BinaryBody(String requestId, ByteBuffer body) {
  /** The body; a view with a position of its own. */
  @Override
  public ByteBuffer body() {
    return body.duplicate();
  }

  /**
   * Takes a message apart; the body is a slice of it.
   *
   * @throws ProtocolException if it is too short or its request id is not UTF-8
   */
  public static BinaryBody parse(ByteBuffer message) throws ProtocolException {
    ByteBuffer in = message.duplicate();
    return new BinaryBody(Utf8.read(in, "binary body: request id"), in);
  }

  public ByteBuffer write() {
    byte[] id = requestId.getBytes(StandardCharsets.UTF_8);
    if (id.length > 0xFFFF) {
      throw new IllegalArgumentException("request id of " + id.length + " bytes");
    }
    return ByteBuffer.allocate(2 + id.length + body.remaining())
        .putShort((short) id.length)
        .put(id)
        .put(body.duplicate())
        .flip();
  }
}
