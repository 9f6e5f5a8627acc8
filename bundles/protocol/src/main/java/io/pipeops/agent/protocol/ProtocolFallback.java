package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** Tells the peer, once per type, that a message type is unknown here (protocol 2.6). */
public record ProtocolFallback(
    String agentVersion,
    String unknownType,
    List<String> supportedTypes,
    String fallbackMode,
    String protocolVersion,
    String timestamp,
    String originalRequestId)
    implements Payload {
  public static final String TYPE = "protocol_fallback";

  /** A constant of the protocol, not a version. */
  public static final String AGENT = "pipeops-k8-agent";

  /** Every type that an agent takes. */
  public static final List<String> SUPPORTED =
      List.of(
          RegisterSuccess.TYPE,
          RegisterInProgress.TYPE,
          HeartbeatAck.TYPE,
          Pong.TYPE,
          Ping.TYPE,
          ProxyRequest.TYPE,
          ProxyRequestChunk.TYPE,
          ProxyRequestStreamEnd.TYPE,
          ProxyCancel.TYPE,
          WebSocketData.OLD_ALIAS,
          WebSocketStart.TYPE,
          WebSocketData.TYPE,
          WebSocketClose.TYPE,
          WebSocketStart.ALIAS,
          WebSocketData.ALIAS,
          WebSocketClose.ALIAS,
          ErrorMessage.TYPE,
          GatewayHello.TYPE,
          TcpTunnelStart.TYPE,
          TcpTunnelData.TYPE,
          TcpTunnelClose.TYPE,
          UdpTunnelData.TYPE);

  /** The answer to a message of a type that is not known. */
  public static ProtocolFallback of(String unknownType, String requestId) {
    return new ProtocolFallback(
        AGENT,
        unknownType,
        SUPPORTED,
        "legacy_proxy",
        "1.0",
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        requestId.replace("\r", "").replace("\n", ""));
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static ProtocolFallback parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    return new ProtocolFallback(
        take.text("agent_version"),
        take.text("unknown_type"),
        take.texts("supported_types"),
        take.text("fallback_mode"),
        take.text("protocol_version"),
        take.text("timestamp"),
        take.text("original_request_id"));
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "agent_version", agentVersion);
    Json.put(json, "unknown_type", unknownType);
    json.writeFieldName("supported_types");
    Json.write(json, supportedTypes);
    Json.put(json, "fallback_mode", fallbackMode);
    Json.put(json, "protocol_version", protocolVersion);
    Json.put(json, "timestamp", timestamp);
    Json.putPresent(json, "original_request_id", originalRequestId);
    json.writeEndObject();
  }
}
