package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** The end of a streamed request body (protocol 3.3). The payload is empty. */
public record ProxyRequestStreamEnd() implements Payload {
  public static final String TYPE = "proxy_request_stream_end";

  /** Accepts any object, whose fields do not matter. */
  public static ProxyRequestStreamEnd parse(JsonText payload) throws ProtocolException {
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      // Only to be checked.
    }
    return new ProxyRequestStreamEnd();
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
