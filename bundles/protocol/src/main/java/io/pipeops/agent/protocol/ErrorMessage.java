package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
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
    String error = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "error" -> error = in.text();
        default -> {}
      }
    }
    return new ErrorMessage(error);
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
}
