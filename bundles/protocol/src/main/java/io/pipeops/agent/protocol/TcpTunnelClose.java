package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * The end of a TCP tunnel (protocol 6.2).
 *
 * @param bytesSent bytes to the service; -1 if not given
 * @param bytesReceived bytes from the service; -1 if not given
 * @param durationMs how long it lasted; -1 if not given
 */
public record TcpTunnelClose(
    String reason, long bytesSent, long bytesReceived, long durationMs, String error)
    implements Payload {
  public static final String TYPE = "tcp_tunnel_close";

  public static final String CONNECTION_FAILED = "connection_failed";
  public static final String REGISTRATION_FAILED = "registration_failed";
  public static final String WRITE_ERROR = "write_error";
  public static final String SERVICE_CLOSED = "service_closed";

  /** A close without counters. */
  public TcpTunnelClose(String reason, String error) {
    this(reason, -1, -1, -1, error);
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static TcpTunnelClose parse(JsonText payload) throws ProtocolException {
    String reason = "";
    long bytesSent = -1;
    long bytesReceived = -1;
    long durationMs = -1;
    String error = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "reason" -> reason = in.text();
        case "bytes_sent" -> bytesSent = in.number(-1);
        case "bytes_received" -> bytesReceived = in.number(-1);
        case "duration_ms" -> durationMs = in.number(-1);
        case "error" -> error = in.text();
        default -> {}
      }
    }
    return new TcpTunnelClose(reason, bytesSent, bytesReceived, durationMs, error);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "reason", reason);
    if (bytesSent >= 0) {
      json.writeNumberField("bytes_sent", bytesSent);
    }
    if (bytesReceived >= 0) {
      json.writeNumberField("bytes_received", bytesReceived);
    }
    if (durationMs >= 0) {
      json.writeNumberField("duration_ms", durationMs);
    }
    Json.putPresent(json, "error", error);
    json.writeEndObject();
  }
}
