package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * A request or stream failed (protocol 3.6 and 4.2).
 *
 * @param error why
 * @param requestId the payload's own request id, which Kubernetes streams carry; empty if none
 */
public record ProxyError(String error, String requestId) implements Payload {
  public static final String TYPE = "proxy_error";

  public ProxyError(String error) {
    this(error, "");
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static ProxyError parse(JsonText payload) throws ProtocolException {
    String error = "";
    String requestId = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "error" -> error = in.text();
        case "request_id" -> requestId = in.text();
        default -> {}
      }
    }
    return new ProxyError(error, requestId);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "error", error);
    Json.putPresent(json, "request_id", requestId);
    json.writeEndObject();
  }
}
