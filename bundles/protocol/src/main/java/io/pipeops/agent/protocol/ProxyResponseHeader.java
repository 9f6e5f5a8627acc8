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
    ProxyResponse.Reader reader = new ProxyResponse.Reader(TYPE);
    Json.fields(payload, TYPE, reader);
    return new ProxyResponseHeader(reader.checkedStatus(), reader.headers);
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
