package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What an agent says of itself to be registered (protocol 2.5.1). Strings that are not known are
 * empty.
 *
 * @param tunnelPorts {@code tunnel_port_config}
 * @param clusterId the cluster it was registered as before; empty if none
 * @param k8sServiceToken the cluster token; secret
 * @param extra all further fields, with JSON-like values
 */
public record Register(
    String agentId,
    String name,
    String k8sVersion,
    String hostname,
    String agentVersion,
    String serverIp,
    String region,
    String cloudProvider,
    Map<String, Object> tunnelPorts,
    Map<String, String> labels,
    Map<String, Object> serverSpecs,
    Map<String, Object> features,
    Map<String, String> metadata,
    String clusterId,
    String k8sServiceToken,
    Map<String, Object> extra)
    implements Payload {
  public static final String TYPE = "register";

  /** The ports every agent names. */
  public static final Map<String, Object> TUNNEL_PORTS =
      Map.of("kubernetes_api", 6443, "kubelet", 10250, "agent_http", 8080);

  /** What every agent of this protocol can do. */
  public static final Map<String, Object> FEATURES =
      Map.of(
          "supports_streaming", true,
          "supports_binary_protocol", true,
          "supports_compression", true,
          "supports_websocket_proxy", true,
          "supports_gateway", true,
          "supports_response_streaming", true);

  /**
   * A registration from one map of payload fields, as registration facts add up to. The constants
   * {@code tunnel_port_config} and {@code features} are filled in if they are missing.
   */
  public static Register of(Map<String, ?> fields) {
    FieldMap take = new FieldMap(fields);
    Map<String, Object> ports = take.object("tunnel_port_config");
    Map<String, Object> features = take.object("features");
    return new Register(
        take.text("agent_id"),
        take.text("name"),
        take.text("k8s_version"),
        take.text("hostname"),
        take.text("agent_version"),
        take.text("server_ip"),
        take.text("region"),
        take.text("cloud_provider"),
        ports.isEmpty() ? TUNNEL_PORTS : ports,
        take.strings("labels"),
        take.object("server_specs"),
        features.isEmpty() ? FEATURES : features,
        take.strings("metadata"),
        take.text("cluster_id"),
        take.text("k8s_service_token"),
        take.rest());
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static Register parse(JsonText payload) throws ProtocolException {
    return of(Json.object(payload, TYPE));
  }

  /** The payload as one map, in the order of the protocol. */
  public Map<String, Object> fields() {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("agent_id", agentId);
    fields.put("name", name);
    fields.put("k8s_version", k8sVersion);
    fields.put("hostname", hostname);
    fields.put("agent_version", agentVersion);
    fields.put("server_ip", serverIp);
    fields.put("region", region);
    fields.put("cloud_provider", cloudProvider);
    fields.put("tunnel_port_config", tunnelPorts);
    fields.put("labels", labels);
    fields.put("server_specs", serverSpecs);
    fields.put("features", features);
    FieldMap.putPresent(fields, "metadata", metadata);
    FieldMap.putPresent(fields, "cluster_id", clusterId);
    FieldMap.putPresent(fields, "k8s_service_token", k8sServiceToken);
    extra.forEach(fields::putIfAbsent);
    return fields;
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    Json.write(json, fields());
  }

  /** Without what may be secret. */
  @Override
  public String toString() {
    return "Register[agentId=" + agentId + ", name=" + name + ", clusterId=" + clusterId + "]";
  }
}
