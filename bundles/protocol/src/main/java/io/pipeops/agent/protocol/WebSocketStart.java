package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String streamId = "";
    private String path = "";
    private String query = "";
    private Headers headers = Headers.EMPTY;
    private String protocol = "";
    private String method = "";
    private String clusterUuid = "";

    WebSocketStart read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      return new WebSocketStart(streamId, path, query, headers, protocol, method, clusterUuid);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "stream_id" -> streamId = Json.text(value);
        case "path" -> path = Json.text(value);
        case "query" -> query = Json.text(value);
        case "headers" -> headers = Headers.read(value);
        case "protocol" -> protocol = Json.text(value);
        case "method" -> method = Json.text(value);
        case "cluster_uuid" -> clusterUuid = Json.text(value);
        default -> {}
      }
    }
  }
}
