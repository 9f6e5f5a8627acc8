package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** Closes a proxied WebSocket of either kind (protocol 4.3 and 4.4.8). */
public record WebSocketClose(String streamId, String requestId) implements Payload {
  public static final String TYPE = "proxy_websocket_close";

  /** The gateway's name of the same message. */
  public static final String ALIAS = "ws_close";

  /** The close of a Kubernetes stream. */
  public static WebSocketClose kubernetes(String streamId) {
    return new WebSocketClose(streamId, "");
  }

  /** The close of an application stream. */
  public static WebSocketClose application(String id) {
    return new WebSocketClose(id, id);
  }

  /** The application stream that is meant, given the envelope's request id. */
  public String target(String envelopeId) {
    return !requestId.isEmpty() ? requestId : !streamId.isEmpty() ? streamId : envelopeId;
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static WebSocketClose parse(JsonText payload) throws ProtocolException {
    String streamId = "";
    String requestId = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "stream_id" -> streamId = in.text();
        case "request_id" -> requestId = in.text();
        default -> {}
      }
    }
    return new WebSocketClose(streamId, requestId);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "stream_id", streamId);
    Json.putPresent(json, "request_id", requestId);
    json.writeEndObject();
  }
}
