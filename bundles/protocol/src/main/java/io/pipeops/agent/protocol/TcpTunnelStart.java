package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * Opens a TCP tunnel, keyed by the envelope's request id (protocol 6.2). A port that is no number
 * up to 2^31 counts as 0.
 */
public record TcpTunnelStart(
    String tunnelId,
    String gatewayName,
    String gatewayNamespace,
    int gatewayPort,
    String serviceName,
    String serviceNamespace,
    int servicePort,
    String clientAddr)
    implements Payload {
  public static final String TYPE = "tcp_tunnel_start";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static TcpTunnelStart parse(JsonText payload) throws ProtocolException {
    String tunnelId = "";
    String gatewayName = "";
    String gatewayNamespace = "";
    int gatewayPort = 0;
    String serviceName = "";
    String serviceNamespace = "";
    int servicePort = 0;
    String clientAddr = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "tunnel_id" -> tunnelId = in.text();
        case "gateway_name" -> gatewayName = in.text();
        case "gateway_namespace" -> gatewayNamespace = in.text();
        case "gateway_port" -> gatewayPort = in.integer();
        case "service_name" -> serviceName = in.text();
        case "service_namespace" -> serviceNamespace = in.text();
        case "service_port" -> servicePort = in.integer();
        case "client_addr" -> clientAddr = in.text();
        default -> {}
      }
    }
    return new TcpTunnelStart(
        tunnelId,
        gatewayName,
        gatewayNamespace,
        gatewayPort,
        serviceName,
        serviceNamespace,
        servicePort,
        clientAddr);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.putPresent(json, "tunnel_id", tunnelId);
    Json.putPresent(json, "gateway_name", gatewayName);
    Json.putPresent(json, "gateway_namespace", gatewayNamespace);
    Json.putPresent(json, "gateway_port", gatewayPort);
    Json.putPresent(json, "service_name", serviceName);
    Json.putPresent(json, "service_namespace", serviceNamespace);
    Json.putPresent(json, "service_port", servicePort);
    Json.putPresent(json, "client_addr", clientAddr);
    json.writeEndObject();
  }
}
