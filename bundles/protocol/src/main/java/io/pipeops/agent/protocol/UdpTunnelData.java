package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
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
    return new Reader().read(payload);
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

  private static final class Reader implements Json.FieldReader {
    private String tunnelId = "";
    private ByteBuffer data;
    private String clientAddr = "";
    private int clientPort;
    private String direction = "";
    private String gatewayName = "";
    private String gatewayNamespace = "";
    private int gatewayPort;
    private String serviceName = "";
    private String serviceNamespace = "";
    private int servicePort;

    UdpTunnelData read(JsonText payload) throws ProtocolException {
      Json.fields(payload, TYPE, this);
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
    public void field(String name, JsonParser value) throws IOException {
      switch (name) {
        case "tunnel_id" -> tunnelId = Json.text(value);
        case "data" -> data = Base64Text.read(value, TYPE + ": data");
        case "client_addr" -> clientAddr = Json.text(value);
        case "client_port" -> clientPort = Json.integer(value);
        case "direction" -> direction = Json.text(value);
        case "gateway_name" -> gatewayName = Json.text(value);
        case "gateway_namespace" -> gatewayNamespace = Json.text(value);
        case "gateway_port" -> gatewayPort = Json.integer(value);
        case "service_name" -> serviceName = Json.text(value);
        case "service_namespace" -> serviceNamespace = Json.text(value);
        case "service_port" -> servicePort = Json.integer(value);
        default -> {}
      }
    }
  }
}
