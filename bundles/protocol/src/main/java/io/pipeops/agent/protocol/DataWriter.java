package io.pipeops.agent.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Writes the messages that carry the bulk of all bytes: one array of the right size, into which the
 * base64 goes as it leaves the encoder. What it writes means the same as what their {@link
 * Payload#write} does.
 */
final class DataWriter {
  private DataWriter() {}

  /** The complete message, or null for a payload of another kind. */
  static ByteBuffer write(String type, String requestId, Payload payload) {
    return switch (payload) {
      case ProxyResponseChunk chunk ->
          message(
              type,
              requestId,
              "",
              chunk.data(),
              ",\"encoding\":\"base64\",\"size\":" + chunk.data().remaining());
      case ProxyRequestChunk chunk -> message(type, requestId, "", chunk.data(), "");
      case TcpTunnelData tcp ->
          message(type, requestId, "", tcp.data(), after("direction", tcp.direction()));
      case WebSocketData frame ->
          message(
              type,
              requestId,
              before("request_id", frame.requestId()) + before("stream_id", frame.streamId()),
              frame.data(),
              frame.messageType() == 0 ? "" : ",\"message_type\":" + frame.messageType());
      default -> null;
    };
  }

  private static String before(String name, String value) {
    return value.isEmpty() ? "" : "\"" + name + "\":" + Json.quote(value) + ",";
  }

  private static String after(String name, String value) {
    return value.isEmpty() ? "" : ",\"" + name + "\":" + Json.quote(value);
  }

  private static ByteBuffer message(
      String type, String requestId, String before, ByteBuffer data, String after) {
    byte[] head =
        ("{\"type\":"
                + Json.quote(type)
                + after("request_id", requestId)
                + ",\"payload\":{"
                + before
                + "\"data\":\"")
            .getBytes(StandardCharsets.UTF_8);
    byte[] tail =
        ("\"" + after + "},\"timestamp\":\"" + Timestamps.now() + "\"}")
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer base64 = Base64.getEncoder().encode(data);
    return ByteBuffer.allocate(Math.addExact(head.length + tail.length, base64.remaining()))
        .put(head)
        .put(base64)
        .put(tail)
        .flip();
  }
}
