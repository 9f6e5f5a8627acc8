package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** A heartbeat was received (protocol 2.3). */
public record HeartbeatAck(String receivedAt) implements Payload {
  public static final String TYPE = "heartbeat_ack";

  public static HeartbeatAck now() {
    return new HeartbeatAck(Timestamps.now());
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static HeartbeatAck parse(JsonText payload) throws ProtocolException {
    String receivedAt = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "received_at" -> receivedAt = in.text();
        default -> {}
      }
    }
    return new HeartbeatAck(receivedAt);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "received_at", receivedAt);
    json.writeEndObject();
  }
}
