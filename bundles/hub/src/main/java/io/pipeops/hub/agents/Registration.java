package io.pipeops.hub.agents;

/**
 * What an agent says of itself and its cluster when it registers (protocol 2.5.1). Text that it did
 * not send is empty.
 *
 * @param name the cluster's name
 * @param agentId the agent's stable identity
 * @param clusterId the cluster that it believes to be
 * @param version the agent's version
 * @param k8sVersion the version of Kubernetes
 * @param region where it runs
 * @param provider who runs the machines
 * @param json the payload as JSON, without secrets
 * @param serviceToken the token that its API server is called with; a secret
 * @param caPem PEM of its API server's CA
 */
public record Registration(
    String name,
    String agentId,
    String clusterId,
    String version,
    String k8sVersion,
    String region,
    String provider,
    String json,
    String serviceToken,
    String caPem) {
  /** Without the secret, so that it can stand in a log line. */
  @Override
  public String toString() {
    return "Registration[name=%s, agentId=%s, clusterId=%s, version=%s]"
        .formatted(name, agentId, clusterId, version);
  }
}
