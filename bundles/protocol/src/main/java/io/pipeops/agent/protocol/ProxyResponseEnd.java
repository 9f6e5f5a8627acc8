package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** The good end of a streamed response (protocol 3.4.4). The payload is empty. */
public record ProxyResponseEnd() implements Payload {
  public static final String TYPE = "proxy_response_end";

  /** Accepts any object, whose fields do not matter. */
  public static ProxyResponseEnd parse(JsonText payload) throws ProtocolException {
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      // Only to be checked.
    }
    return new ProxyResponseEnd();
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
