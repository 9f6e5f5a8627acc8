package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A datagram through a tunnel, in either direction (protocol 6.3). */
public record UdpTunnelData(
    String tunnelId,
    ByteBuffer data,
    String clientAddr,
    int clientPort,
    String direction,
    String gatewayName,
    String gatewayNamespace,
    int gatewayPort,
    String serviceName,
    String serviceNamespace,
    int servicePort)
    implements Payload {
  public static final String TYPE = "udp_tunnel_data";

  /** The answer to a client, as the agent sends it. */
  public static UdpTunnelData answer(
      String tunnelId, ByteBuffer data, String clientAddr, int clientPort) {
    return new UdpTunnelData(
        tunnelId,
        data,
        clientAddr,
        clientPort,
        TcpTunnelData.AGENT_TO_GATEWAY,
        "",
        "",
        0,
        "",
        "",
        0);
  }

  /** The datagram; a view with a position of its own. */
  @Override
  public ByteBuffer data() {
    return data.duplicate();
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object or has no valid data
   */
  public static UdpTunnelData parse(JsonText payload) throws ProtocolException {
    String tunnelId = "";
    ByteBuffer data = null;
    String clientAddr = "";
    int clientPort = 0;
    String direction = "";
    String gatewayName = "";
    String gatewayNamespace = "";
    int gatewayPort = 0;
    String serviceName = "";
    String serviceNamespace = "";
    int servicePort = 0;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "tunnel_id" -> tunnelId = in.text();
        case "data" -> data = in.base64();
        case "client_addr" -> clientAddr = in.text();
        case "client_port" -> clientPort = in.integer();
        case "direction" -> direction = in.text();
        case "gateway_name" -> gatewayName = in.text();
        case "gateway_namespace" -> gatewayNamespace = in.text();
        case "gateway_port" -> gatewayPort = in.integer();
        case "service_name" -> serviceName = in.text();
        case "service_namespace" -> serviceNamespace = in.text();
        case "service_port" -> servicePort = in.integer();
        default -> {}
      }
    }
    if (data == null) {
      throw new ProtocolException(TYPE + ": no data");
    }
    return new UdpTunnelData(
        tunnelId,
        data,
        clientAddr,
        clientPort,
        direction,
        gatewayName,
        gatewayNamespace,
        gatewayPort,
        serviceName,
        serviceNamespace,
        servicePort);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "tunnel_id", tunnelId);
    Base64Text.put(json, "data", data);
    Json.put(json, "client_addr", clientAddr);
    json.writeNumberField("client_port", clientPort);
    Json.putPresent(json, "direction", direction);
    Json.putPresent(json, "gateway_name", gatewayName);
    Json.putPresent(json, "gateway_namespace", gatewayNamespace);
    Json.putPresent(json, "gateway_port", gatewayPort);
    Json.putPresent(json, "service_name", serviceName);
    Json.putPresent(json, "service_namespace", serviceNamespace);
    Json.putPresent(json, "service_port", servicePort);
    json.writeEndObject();
  }
}
