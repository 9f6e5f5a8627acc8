package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * An error of the control plane (protocol 2.5.5 and 1.14). The text is the peer's: strip CR and LF
 * before it is logged.
 */
public record ErrorMessage(String error) implements Payload {
  public static final String TYPE = "error";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static ErrorMessage parse(JsonText payload) throws ProtocolException {
    return new Reader().read(payload);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "error", error);
    json.writeEndObject();
  }

  private static final class Reader implements Json.FieldReader {
    private String error = "";

    ErrorMessage read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      return new ErrorMessage(error);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "error" -> error = Json.text(value);
        default -> {}
      }
    }
  }
}
