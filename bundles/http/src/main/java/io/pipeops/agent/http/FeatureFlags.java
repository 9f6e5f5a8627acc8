package io.pipeops.agent.http;

import java.util.LinkedHashMap;
import java.util.Map;

/** The feature list of the existing agent's pages, told by what really runs. */
final class FeatureFlags {
  private FeatureFlags() {}

  static Map<String, Object> of(AgentView agent) {
    boolean tunnel = agent.runs("tunnel");
    Map<String, Object> flags = new LinkedHashMap<>();
    flags.put("portainer_tunnel", tunnel);
    flags.put("multi_port_forward", agent.runs("forward"));
    flags.put("direct_k8s_access", tunnel);
    flags.put("metrics", true);
    flags.put("health_monitoring", true);
    flags.put("runtime_metrics", true);
    flags.put("feature_version", "2.0.0-portainer");
    return flags;
  }
}
