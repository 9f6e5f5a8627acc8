package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** The bad end of a streamed response (protocol 3.4.4), before or after its header. */
public record ProxyResponseAbort(String error) implements Payload {
  public static final String TYPE = "proxy_response_abort";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static ProxyResponseAbort parse(JsonText payload) throws ProtocolException {
    String error = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "error" -> error = in.text();
        default -> {}
      }
    }
    return new ProxyResponseAbort(error);
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
