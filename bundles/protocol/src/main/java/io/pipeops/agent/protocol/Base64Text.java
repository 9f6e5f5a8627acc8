package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Base64;

/** Bytes in standard base64 with padding inside JSON (protocol 0.2). */
final class Base64Text {
  static final ByteBuffer EMPTY = ByteBuffer.allocate(0).asReadOnlyBuffer();

  private Base64Text() {}

  /** Decodes the string value that the parser stands on, without making a String of it. */
  static ByteBuffer read(JsonParser json, String what) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw new ProtocolException(what + " is not a string");
    }
    try {
      return ByteBuffer.wrap(json.getBinaryValue());
    } catch (JsonProcessingException | IllegalArgumentException e) {
      throw new ProtocolException(what + " is not valid base64");
    }
  }

  /** Writes a base64 string field straight into the output. */
  static void put(JsonGenerator json, String name, ByteBuffer data) throws IOException {
    json.writeFieldName(name);
    if (data.hasArray()) {
      json.writeBinary(data.array(), data.arrayOffset() + data.position(), data.remaining());
    } else {
      byte[] bytes = new byte[data.remaining()];
      data.duplicate().get(bytes);
      json.writeBinary(bytes);
    }
  }

  static byte[] encode(ByteBuffer data) {
    return Base64.getEncoder().encode(data.duplicate()).array();
  }
}
