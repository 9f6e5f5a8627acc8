package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/** Status and headers of a streamed response, once and first (protocol 3.4.4). */
public record ProxyResponseHeader(int status, Headers headers) implements Payload {
  public static final String TYPE = "proxy_response_header";

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object or has no HTTP status
   */
  public static ProxyResponseHeader parse(JsonText payload) throws ProtocolException {
    int status = 0;
    Headers headers = Headers.EMPTY;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "status" -> status = in.integer();
        case "headers" -> headers = in.headers();
        default -> {}
      }
    }
    return new ProxyResponseHeader(ProxyResponse.checkedStatus(status, TYPE), headers);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    ProxyResponse.writeHead(json, status, headers);
    json.writeEndObject();
  }
}
