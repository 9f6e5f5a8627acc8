package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The good end of a registration (protocol 2.5.2). Strings that are not there are empty.
 *
 * @param token a new cluster token; secret
 * @param gatewayWsUrl the gateway to go to; empty to stay
 * @param extra all further fields, with JSON-like values
 */
public record RegisterSuccess(
    String clusterId,
    String clusterUuid,
    String name,
    String status,
    String tunnelUrl,
    String apiServer,
    long workspaceId,
    String token,
    String gatewayWsUrl,
    Map<String, Object> extra)
    implements Payload {
  public static final String TYPE = "register_success";

  /**
   * Parses the payload; optional fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object or has no cluster id
   */
  public static RegisterSuccess parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    String clusterId = take.text("cluster_id");
    if (clusterId.isEmpty()) {
      throw new ProtocolException(TYPE + ": no cluster_id");
    }
    return new RegisterSuccess(
        clusterId,
        take.text("cluster_uuid"),
        take.text("name"),
        take.text("status"),
        take.text("tunnel_url"),
        take.text("api_server"),
        take.number("workspace_id"),
        take.text("token"),
        take.text("gateway_ws_url"),
        take.rest());
  }

  /** What to call the cluster towards the gateway. */
  public String gatewayClusterUuid() {
    return clusterUuid.isEmpty() ? clusterId : clusterUuid;
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("cluster_id", clusterId);
    FieldMap.putPresent(fields, "cluster_uuid", clusterUuid);
    FieldMap.putPresent(fields, "name", name);
    FieldMap.putPresent(fields, "status", status);
    FieldMap.putPresent(fields, "tunnel_url", tunnelUrl);
    FieldMap.putPresent(fields, "api_server", apiServer);
    FieldMap.putPresent(fields, "workspace_id", workspaceId);
    FieldMap.putPresent(fields, "token", token);
    FieldMap.putPresent(fields, "gateway_ws_url", gatewayWsUrl);
    extra.forEach(fields::putIfAbsent);
    Json.write(json, fields);
  }

  /** Without what may be secret. */
  @Override
  public String toString() {
    return "RegisterSuccess[clusterId="
        + clusterId
        + ", clusterUuid="
        + clusterUuid
        + ", name="
        + name
        + ", status="
        + status
        + "]";
  }
}
