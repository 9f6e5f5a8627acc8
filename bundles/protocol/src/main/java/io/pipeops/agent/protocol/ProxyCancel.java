package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** Aborts the request or stream of the envelope (protocol 3.7). The payload is empty. */
public record ProxyCancel() implements Payload {
  public static final String TYPE = "proxy_cancel";

  /** Accepts any object, whose fields do not matter. */
  public static ProxyCancel parse(JsonText payload) throws ProtocolException {
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      // Only to be checked.
    }
    return new ProxyCancel();
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
