package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Bytes of a TCP tunnel, keyed by the envelope's request id (protocol 6.2). */
public record TcpTunnelData(ByteBuffer data, String direction) implements Payload {
  public static final String TYPE = "tcp_tunnel_data";

  public static final String AGENT_TO_GATEWAY = "agent_to_gateway";
  public static final String GATEWAY_TO_AGENT = "gateway_to_agent";

  /** The bytes; a view with a position of its own. */
  @Override
  public ByteBuffer data() {
    return data.duplicate();
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object or has no valid data
   */
  public static TcpTunnelData parse(JsonText payload) throws ProtocolException {
    ByteBuffer data = null;
    String direction = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "data" -> data = in.base64();
        case "direction" -> direction = in.text();
        default -> {}
      }
    }
    if (data == null) {
      throw new ProtocolException(TYPE + ": no data");
    }
    return new TcpTunnelData(data, direction);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Base64Text.put(json, "data", data);
    Json.putPresent(json, "direction", direction);
    json.writeEndObject();
  }
}
