package io.pipeops.agent.api.kubernetes;

/**
 * What the agent remembers across restarts (protocol 9.1). Empty text is "not known".
 *
 * @param agentId stable identity
 * @param clusterId id given at registration
 * @param clusterUuid what the gateway wants to be told; empty means the cluster id
 * @param gatewayUrl gateway named at registration
 * @param clusterToken token reported at registration; a secret
 * @param clusterCa CA reported, base64 of PEM
 */
public record PersistedState(
    String agentId,
    String clusterId,
    String clusterUuid,
    String gatewayUrl,
    String clusterToken,
    String clusterCa) {
  public static final PersistedState EMPTY = new PersistedState("", "", "", "", "", "");

  public PersistedState withAgentId(String value) {
    return new PersistedState(value, clusterId, clusterUuid, gatewayUrl, clusterToken, clusterCa);
  }

  public PersistedState withRegistration(String id, String uuid, String gateway) {
    return new PersistedState(agentId, id, uuid, gateway, clusterToken, clusterCa);
  }

  public PersistedState withCredentials(String token, String ca) {
    return new PersistedState(agentId, clusterId, clusterUuid, gatewayUrl, token, ca);
  }

  /** Without the secret, so that it can stand in a log line. */
  @Override
  public String toString() {
    return "PersistedState[agentId=%s, clusterId=%s, gatewayUrl=%s]"
        .formatted(agentId, clusterId, gatewayUrl);
  }
}
