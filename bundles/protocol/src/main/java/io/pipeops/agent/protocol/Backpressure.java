package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String requestId = "";
    private String reason = "";

    Backpressure read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      return new Backpressure(requestId, reason);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "request_id" -> requestId = Json.text(value);
        case "reason" -> reason = Json.text(value);
        default -> {}
      }
    }
  }
}
