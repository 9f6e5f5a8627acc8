package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.PersistedState;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;

/** The ConfigMap and the Secret that hold the state, and which key is where (protocol 9.1). */
final class StateObjects {
  private final StateObject configMap;
  private final StateObject secret;

  StateObjects(ApiClient api, String namespace, KubernetesConfig config) {
    configMap = new StateObject(api, false, namespace, config.state_configmap_name());
    secret = new StateObject(api, true, namespace, config.state_secret_name());
  }

  /**
   * Reads both.
   *
   * @param end when to give up, on the clock of {@link System#nanoTime}
   */
  PersistedState read(long end) throws IOException, InterruptedException {
    configMap.read(left(end));
    secret.read(left(end));
    Map<String, String> open = configMap.data();
    Map<String, String> hidden = secret.data();
    return new PersistedState(
        open.getOrDefault("agent_id", ""),
        open.getOrDefault("cluster_id", ""),
        open.getOrDefault("cluster_uuid", ""),
        open.getOrDefault("gateway_ws_url", ""),
        hidden.getOrDefault("cluster_token", ""),
        hidden.getOrDefault("cluster_cert_data", ""));
  }

  /** Writes whichever differs; a Secret is not made for nothing. */
  void write(PersistedState state, long end) throws IOException, InterruptedException {
    configMap.write(
        Map.of(
            "agent_id", state.agentId(),
            "cluster_id", state.clusterId(),
            "cluster_uuid", state.clusterUuid(),
            "gateway_ws_url", state.gatewayUrl()),
        left(end));
    boolean credentials = !state.clusterToken().isEmpty() || !state.clusterCa().isEmpty();
    if (credentials || !secret.data().isEmpty()) {
      secret.write(
          Map.of("cluster_token", state.clusterToken(), "cluster_cert_data", state.clusterCa()),
          left(end));
    }
  }

  /** What is left until then, at least a millisecond. */
  static Duration left(long end) {
    return Duration.ofNanos(Math.max(end - System.nanoTime(), 1_000_000));
  }
}
