package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * Opens a WebSocket to the Kubernetes API (protocol 4.2). A missing stream id is left to the
 * receiver, who has to answer it.
 */
public record WebSocketStart(
    String streamId,
    String path,
    String query,
    Headers headers,
    String protocol,
    String method,
    String clusterUuid)
    implements Payload {
  public static final String TYPE = "proxy_websocket_start";

  /** The gateway's name of the same message. */
  public static final String ALIAS = "ws_start";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static WebSocketStart parse(JsonText payload) throws ProtocolException {
    String streamId = "";
    String path = "";
    String query = "";
    Headers headers = Headers.EMPTY;
    String protocol = "";
    String method = "";
    String clusterUuid = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "stream_id" -> streamId = in.text();
        case "path" -> path = in.text();
        case "query" -> query = in.text();
        case "headers" -> headers = in.headers();
        case "protocol" -> protocol = in.text();
        case "method" -> method = in.text();
        case "cluster_uuid" -> clusterUuid = in.text();
        default -> {}
      }
    }
    return new WebSocketStart(streamId, path, query, headers, protocol, method, clusterUuid);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "stream_id", streamId);
    Json.putPresent(json, "path", path);
    Json.putPresent(json, "query", query);
    if (!headers.isEmpty()) {
      json.writeFieldName("headers");
      headers.write(json);
    }
    Json.putPresent(json, "protocol", protocol);
    Json.putPresent(json, "method", method);
    Json.putPresent(json, "cluster_uuid", clusterUuid);
    json.writeEndObject();
  }
}
