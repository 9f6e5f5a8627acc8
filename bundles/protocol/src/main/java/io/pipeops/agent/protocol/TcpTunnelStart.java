package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String tunnelId = "";
    private String gatewayName = "";
    private String gatewayNamespace = "";
    private int gatewayPort;
    private String serviceName = "";
    private String serviceNamespace = "";
    private int servicePort;
    private String clientAddr = "";

    TcpTunnelStart read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
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
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "tunnel_id" -> tunnelId = Json.text(value);
        case "gateway_name" -> gatewayName = Json.text(value);
        case "gateway_namespace" -> gatewayNamespace = Json.text(value);
        case "gateway_port" -> gatewayPort = Json.integer(value);
        case "service_name" -> serviceName = Json.text(value);
        case "service_namespace" -> serviceNamespace = Json.text(value);
        case "service_port" -> servicePort = Json.integer(value);
        case "client_addr" -> clientAddr = Json.text(value);
        default -> {}
      }
    }
  }
}
