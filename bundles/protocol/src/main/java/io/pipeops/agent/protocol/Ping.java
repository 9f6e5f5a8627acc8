package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** An application ping (protocol 2.5.4), answered by a {@link Pong}. The payload is empty. */
public record Ping() implements Payload {
  public static final String TYPE = "ping";

  /** Accepts any object, whose fields do not matter. */
  public static Ping parse(JsonText payload) throws ProtocolException {
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      // Only to be checked.
    }
    return new Ping();
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeEndObject();
  }
}
