package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A sign of life with the cluster's figures (protocol 2.5.3).
 *
 * @param status {@code healthy}, {@code reconnecting} or {@code disconnected}
 * @param tunnelStatus {@code connected} or {@code disconnected}
 * @param extra all further fields, with JSON-like values; may hold passwords and tokens
 */
public record Heartbeat(
    String clusterId,
    String agentId,
    String status,
    String tunnelStatus,
    Map<String, Object> metadata,
    Map<String, Object> extra)
    implements Payload {
  public static final String TYPE = "heartbeat";

  /** A heartbeat from one map of payload fields, as heartbeat facts add up to. */
  public static Heartbeat of(Map<String, ?> fields) {
    FieldMap take = new FieldMap(fields);
    return new Heartbeat(
        take.text("cluster_id"),
        take.text("agent_id"),
        take.text("status"),
        take.text("tunnel_status"),
        take.object("metadata"),
        take.rest());
  }

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static Heartbeat parse(JsonText payload) throws ProtocolException {
    return of(Json.object(payload, TYPE));
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("cluster_id", clusterId);
    fields.put("agent_id", agentId);
    fields.put("status", status);
    fields.put("tunnel_status", tunnelStatus);
    fields.put("metadata", metadata);
    extra.forEach(fields::putIfAbsent);
    Json.write(json, fields);
  }

  /** Without what may be secret. */
  @Override
  public String toString() {
    return "Heartbeat[clusterId="
        + clusterId
        + ", agentId="
        + agentId
        + ", status="
        + status
        + ", tunnelStatus="
        + tunnelStatus
        + "]";
  }
}
