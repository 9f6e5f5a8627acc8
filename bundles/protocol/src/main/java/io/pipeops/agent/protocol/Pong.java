package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String timestamp = "";

    Pong read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      return new Pong(timestamp);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "timestamp" -> timestamp = Json.text(value);
        default -> {}
      }
    }
  }
}
