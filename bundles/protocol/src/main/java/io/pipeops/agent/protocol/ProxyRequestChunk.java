package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    json.writeEndObject();
  }

  private static final class Reader implements Json.FieldReader {
    private ByteBuffer data;
    private ByteBuffer chunk;

    ProxyRequestChunk read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      if (data == null) {
        data = chunk;
      }
      if (data == null) {
        throw new ProtocolException(TYPE + ": neither data nor chunk");
      }
      return new ProxyRequestChunk(data);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "data" -> data = Base64Text.read(value, TYPE + ": data");
        case "chunk" -> chunk = Base64Text.read(value, TYPE + ": chunk");
        default -> {}
      }
    }
  }
}
