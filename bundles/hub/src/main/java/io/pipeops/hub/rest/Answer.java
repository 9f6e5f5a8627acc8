package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * A complete response.
 *
 * @param status its status
 * @param type its media type; empty if it has no body
 * @param body its body
 * @param headers further headers
 */
record Answer(int status, String type, byte[] body, Map<String, String> headers) {
  private static final JsonFactory JSON = new JsonFactory();

  /** Writes one JSON value. */
  @FunctionalInterface
  interface Content {
    void write(JsonGenerator json) throws IOException;
  }

  static Answer json(int status, Content content) {
    return json(status, content, "application/json");
  }

  static Answer json(int status, Content content, String type) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      content.write(json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new Answer(status, type, bytes.toByteArray(), Map.of());
  }

  static Answer empty(int status) {
    return new Answer(status, "", new byte[0], Map.of());
  }

  Answer with(String header, String value) {
    return new Answer(status, type, body, Map.of(header, value));
  }
}
