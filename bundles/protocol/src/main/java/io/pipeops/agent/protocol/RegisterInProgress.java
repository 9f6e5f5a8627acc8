package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** A registration is still running (protocol 1.6). */
public record RegisterInProgress(String message) implements Payload {
  public static final String TYPE = "register_in_progress";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static RegisterInProgress parse(JsonText payload) throws ProtocolException {
    String message = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "message" -> message = in.text();
        default -> {}
      }
    }
    return new RegisterInProgress(message);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "message", message);
    json.writeEndObject();
  }
}
