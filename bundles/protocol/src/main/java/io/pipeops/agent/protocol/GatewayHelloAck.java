package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.Map;

/**
 * Accepts the gateway's offer (protocol 2.5.6).
 *
 * @param extra all further fields, with JSON-like values
 */
public record GatewayHelloAck(boolean useYamux, Map<String, Object> extra) implements Payload {
  public static final String TYPE = "gateway_hello_ack";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static GatewayHelloAck parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    return new GatewayHelloAck(take.bool("use_yamux"), take.rest());
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeBooleanField("use_yamux", useYamux);
    Json.putAll(json, extra);
    json.writeEndObject();
  }

  @Override
  public String toString() {
    return "GatewayHelloAck[useYamux=" + useYamux + "]";
  }
}
