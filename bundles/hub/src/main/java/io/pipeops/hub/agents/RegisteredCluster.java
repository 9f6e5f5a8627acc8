package io.pipeops.hub.agents;

/**
 * A cluster that the hub knows.
 *
 * @param id its id, as in the path of its Kubernetes API
 * @param uuid what the gateway is told; the same as the id unless it was stored otherwise
 * @param name its name
 * @param credentialId the credential that it was registered with
 * @param agentId the agent that registered it last
 */
public record RegisteredCluster(
    String id, String uuid, String name, String credentialId, String agentId) {}
