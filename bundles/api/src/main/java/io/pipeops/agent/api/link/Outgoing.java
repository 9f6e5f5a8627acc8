package io.pipeops.agent.api.link;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * One whole WebSocket message on its way to the peer.
 *
 * @param priority its class
 * @param stream what it takes turns as: messages of one stream leave in the order they were given
 * @param text whether it is a text message; otherwise binary
 * @param data the message; the sender must not touch it again
 */
public record Outgoing(Priority priority, String stream, boolean text, ByteBuffer data) {
  /** A text message from complete JSON. */
  public static Outgoing text(Priority priority, String stream, String json) {
    return new Outgoing(
        priority, stream, true, ByteBuffer.wrap(json.getBytes(StandardCharsets.UTF_8)));
  }

  /** A text message from complete JSON in UTF-8. */
  public static Outgoing text(Priority priority, String stream, ByteBuffer json) {
    return new Outgoing(priority, stream, true, json);
  }
}
