package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.PersistedState;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ConfigMap and the Secret that hold the state, and which key is where (protocol 9.1). */
final class StateObjects {
  private static final Logger log = LoggerFactory.getLogger(StateObjects.class);
  private static final int LONGEST_NAME = 253;
  private static final int LONGEST_URL = 2048;
  private static final int LONGEST_SECRET = 256 << 10;

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
    return new PersistedState(
        name(configMap, "agent_id"),
        name(configMap, "cluster_id"),
        name(configMap, "cluster_uuid"),
        line(configMap, "gateway_ws_url", LONGEST_URL),
        line(secret, "cluster_token", LONGEST_SECRET),
        line(secret, "cluster_cert_data", LONGEST_SECRET));
  }

  private static String name(StateObject from, String key) {
    String value = line(from, key, LONGEST_NAME);
    return value.chars().allMatch(c -> c > 0x20 && c < 0x7f)
        ? value
        : unusable(from, key, "not one word");
  }

  /** What people write by hand ends with a line break now and then; nothing else is mended. */
  private static String line(StateObject from, String key, int longest) {
    String value = from.data().getOrDefault(key, "").strip();
    if (value.length() > longest) {
      return unusable(from, key, "longer than " + longest + " characters");
    }
    return value.chars().allMatch(c -> c >= 0x20 && c != 0x7f)
        ? value
        : unusable(from, key, "not one line of text");
  }

  private static String unusable(StateObject from, String key, String why) {
    log.warn(
        "{} key={} is not what the agent wrote ({}) and counts as missing; it is written anew when"
            + " it is known",
        from,
        key,
        why);
    return "";
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
