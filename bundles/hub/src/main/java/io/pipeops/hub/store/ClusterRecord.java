package io.pipeops.hub.store;

import io.pipeops.hub.agents.RegisteredCluster;
import java.time.Instant;
import java.util.Optional;

/**
 * A cluster as it is stored.
 *
 * @param id its id
 * @param tokenId the agent's token that it was registered with last
 * @param agentId the agent that registered it last
 * @param name its name
 * @param agentVersion the agent's version
 * @param k8sVersion the version of Kubernetes, as registered
 * @param region where it runs
 * @param provider who runs the machines
 * @param registration the registration's payload as JSON, without secrets
 * @param caPem PEM of its API server's CA; may be empty
 * @param created when it registered first
 * @param lastRegistered when it registered last
 * @param lastHeartbeat when the last heartbeat came
 * @param heartbeat that heartbeat's payload as JSON; empty if none came
 */
public record ClusterRecord(
    String id,
    String tokenId,
    String agentId,
    String name,
    String agentVersion,
    String k8sVersion,
    String region,
    String provider,
    String registration,
    String caPem,
    Instant created,
    Instant lastRegistered,
    Optional<Instant> lastHeartbeat,
    String heartbeat) {
  ClusterRecord withHeartbeat(Instant at, String json) {
    return new ClusterRecord(
        id,
        tokenId,
        agentId,
        name,
        agentVersion,
        k8sVersion,
        region,
        provider,
        registration,
        caPem,
        created,
        lastRegistered,
        Optional.of(at),
        json);
  }

  RegisteredCluster registered() {
    return new RegisteredCluster(id, id, name, tokenId, agentId);
  }
}
