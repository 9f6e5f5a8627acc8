package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A part of a streamed response (protocol 3.4.4). Never empty on the wire. */
public record ProxyResponseChunk(ByteBuffer data) implements Payload {
  public static final String TYPE = "proxy_response_chunk";

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
  public static ProxyResponseChunk parse(JsonText payload) throws ProtocolException {
    ByteBuffer data = null;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "data" -> data = in.base64();
        default -> {}
      }
    }
    if (data == null) {
      throw new ProtocolException(TYPE + ": no data");
    }
    return new ProxyResponseChunk(data);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Base64Text.put(json, "data", data);
    json.writeStringField("encoding", "base64");
    json.writeNumberField("size", data.remaining());
    json.writeEndObject();
  }
}
