package io.pipeops.hub.store;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;

/**
 * What a heartbeat (protocol 2.5.3) says of its cluster in short. Text that it did not say is
 * empty, a number that it did not say is -1.
 *
 * @param status the agent's word for how it is
 * @param agentVersion the agent's version
 * @param k8sVersion the version of Kubernetes
 * @param nodes how many nodes the cluster has
 * @param pods how many pods the cluster has
 * @param cpu how much of the CPU is used, as the agent put it
 * @param memory how much of the memory is used, as the agent put it
 */
public record HeartbeatSummary(
    String status,
    String agentVersion,
    String k8sVersion,
    long nodes,
    long pods,
    String cpu,
    String memory) {
  /** Of a cluster that has sent none. */
  public static final HeartbeatSummary NONE = new HeartbeatSummary("", "", "", -1, -1, "", "");

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(32).build())
          .build();

  /** What is not JSON, or not a heartbeat, says nothing. */
  public static HeartbeatSummary parse(String heartbeat) {
    Reader reader = new Reader();
    try (JsonParser json = JSON.createParser(heartbeat)) {
      if (json.nextToken() == JsonToken.START_OBJECT) {
        reader.object(json, false);
      }
    } catch (IOException e) {
      return NONE;
    }
    return new HeartbeatSummary(
        reader.status,
        reader.agentVersion,
        reader.k8sVersion,
        reader.nodes,
        reader.pods,
        reader.cpu,
        reader.memory);
  }

  private static final class Reader {
    private String status = "";
    private String agentVersion = "";
    private String k8sVersion = "";
    private long nodes = -1;
    private long pods = -1;
    private String cpu = "";
    private String memory = "";

    void object(JsonParser json, boolean metadata) throws IOException {
      for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
        JsonToken value = json.nextToken();
        if (value == JsonToken.START_OBJECT && name.equals("metadata") && !metadata) {
          object(json, true);
        } else if (value.isStructStart()) {
          json.skipChildren();
        } else if (metadata) {
          fact(name, json, value);
        } else if (name.equals("status")) {
          status = text(json, value);
        }
      }
    }

    private void fact(String name, JsonParser json, JsonToken value) throws IOException {
      switch (name) {
        case "agent_version" -> agentVersion = text(json, value);
        case "k8s_version" -> k8sVersion = text(json, value);
        case "k8s_nodes" -> nodes = number(json, value);
        case "k8s_pods" -> pods = number(json, value);
        case "cpu_usage" -> cpu = text(json, value);
        case "memory_usage" -> memory = text(json, value);
        default -> {}
      }
    }

    private static String text(JsonParser json, JsonToken value) throws IOException {
      return value.isScalarValue() && value != JsonToken.VALUE_NULL
          ? Columns.clean(json.getText(), 128)
          : "";
    }

    private static long number(JsonParser json, JsonToken value) throws IOException {
      return value == JsonToken.VALUE_NUMBER_INT
              && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER
          ? Math.max(-1, json.getLongValue())
          : -1;
    }
  }
}
