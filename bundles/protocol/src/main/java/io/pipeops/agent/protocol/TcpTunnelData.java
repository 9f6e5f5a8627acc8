package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private ByteBuffer data;
    private String direction = "";

    TcpTunnelData read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      if (data == null) {
        throw new ProtocolException(TYPE + ": no data");
      }
      return new TcpTunnelData(data, direction);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "data" -> data = Base64Text.read(value, TYPE + ": data");
        case "direction" -> direction = Json.text(value);
        default -> {}
      }
    }
  }
}
