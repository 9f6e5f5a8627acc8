package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A part of a streamed request body (protocol 3.3). */
public record ProxyRequestChunk(ByteBuffer data) implements Payload {
  public static final String TYPE = "proxy_request_chunk";

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
  public static ProxyRequestChunk parse(JsonText payload) throws ProtocolException {
    ByteBuffer data = null;
    ByteBuffer chunk = null;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "data" -> data = in.base64();
        case "chunk" -> chunk = in.base64();
        default -> {}
      }
    }
    if (data == null) {
      data = chunk;
    }
    if (data == null) {
      throw new ProtocolException(TYPE + ": neither data nor chunk");
    }
    return new ProxyRequestChunk(data);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Base64Text.put(json, "data", data);
    json.writeEndObject();
  }
}
