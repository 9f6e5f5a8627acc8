package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Bytes in standard base64 with padding inside JSON (protocol 0.2). */
final class Base64Text {
  static final ByteBuffer EMPTY = ByteBuffer.allocate(0).asReadOnlyBuffer();

  private Base64Text() {}

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
}
