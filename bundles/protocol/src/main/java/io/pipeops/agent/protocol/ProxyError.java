package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String error = "";
    private String requestId = "";

    ProxyError read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
      return new ProxyError(error, requestId);
    }

    @Override
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "error" -> error = Json.text(value);
        case "request_id" -> requestId = Json.text(value);
        default -> {}
      }
    }
  }
}
