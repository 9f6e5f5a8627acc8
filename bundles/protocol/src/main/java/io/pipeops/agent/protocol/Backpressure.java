package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** A frame of an application WebSocket was dropped (protocol 4.4.5). */
public record Backpressure(String requestId, String reason) implements Payload {
  public static final String TYPE = "backpressure";

  public static Backpressure channelFull(String id) {
    return new Backpressure(id, "channel_full");
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static Backpressure parse(JsonText payload) throws ProtocolException {
    String requestId = "";
    String reason = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "request_id" -> requestId = in.text();
        case "reason" -> reason = in.text();
        default -> {}
      }
    }
    return new Backpressure(requestId, reason);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "request_id", requestId);
    Json.putPresent(json, "reason", reason);
    json.writeEndObject();
  }
}
