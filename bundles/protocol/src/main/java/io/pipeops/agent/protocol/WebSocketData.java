package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A frame of a proxied WebSocket of either kind (protocol 4.3 and 4.4.4).
 *
 * @param requestId the payload's own request id; empty for the Kubernetes kind
 * @param data the tunnel frame, or from some peers the bare content
 * @param messageType the WebSocket opcode beside the data; 0 if there is none
 */
public record WebSocketData(String requestId, String streamId, ByteBuffer data, int messageType)
    implements Payload {
  public static final String TYPE = "proxy_websocket_data";

  /** The gateway's name of the same message. */
  public static final String ALIAS = "ws_data";

  /** The old name of the same message, for application streams only (protocol 4.4.6). */
  public static final String OLD_ALIAS = "proxy_stream_data";

  /** A frame of a Kubernetes stream. */
  public static WebSocketData kubernetes(String streamId, TunnelFrame frame) {
    return new WebSocketData("", streamId, frame.write(), 0);
  }

  /** A frame of an application stream. */
  public static WebSocketData application(String id, TunnelFrame frame) {
    return new WebSocketData(id, id, frame.write(), frame.opcode());
  }

  /** The bytes; a view with a position of its own. */
  @Override
  public ByteBuffer data() {
    return data.duplicate();
  }

  /** The application stream that is meant, given the envelope's request id. */
  public String target(String envelopeId) {
    return !requestId.isEmpty() ? requestId : !streamId.isEmpty() ? streamId : envelopeId;
  }

  /**
   * The frame of an application stream. With a valid {@code message_type} the data is framed if and
   * only if it begins with that opcode; otherwise it must be framed.
   *
   * @throws ProtocolException if there is no valid opcode
   */
  public TunnelFrame frame() throws ProtocolException {
    if (!TunnelFrame.isOpcode(messageType)) {
      return TunnelFrame.parse(data);
    }
    boolean framed = data.hasRemaining() && data.get(data.position()) == messageType;
    return framed ? TunnelFrame.parse(data) : new TunnelFrame(messageType, data);
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object or has no valid data
   */
  public static WebSocketData parse(JsonText payload) throws ProtocolException {
    String requestId = "";
    String streamId = "";
    ByteBuffer data = null;
    int messageType = 0;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "request_id" -> requestId = in.text();
        case "stream_id" -> streamId = in.text();
        case "data" -> data = in.base64();
        case "message_type" -> messageType = in.integer();
        default -> {}
      }
    }
    if (data == null) {
      throw new ProtocolException(TYPE + ": no data");
    }
    return new WebSocketData(requestId, streamId, data, messageType);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "request_id", requestId);
    Json.putPresent(json, "stream_id", streamId);
    Base64Text.put(json, "data", data);
    Json.putPresent(json, "message_type", messageType);
    json.writeEndObject();
  }
}
