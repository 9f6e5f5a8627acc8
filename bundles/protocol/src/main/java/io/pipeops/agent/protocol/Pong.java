package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** The answer to a {@link Ping} (protocol 2.5.4). */
public record Pong(String timestamp) implements Payload {
  public static final String TYPE = "pong";

  public static Pong now() {
    return new Pong(Timestamps.now());
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static Pong parse(JsonText payload) throws ProtocolException {
    String timestamp = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "timestamp" -> timestamp = in.text();
        default -> {}
      }
    }
    return new Pong(timestamp);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "timestamp", timestamp);
    json.writeEndObject();
  }
}
