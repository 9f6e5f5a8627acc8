package io.pipeops.hub.agents;

import java.time.Instant;
import java.util.Optional;

/**
 * What the hub remembers of clusters and who may speak for or to them. Safe for all threads;
 * methods may block for a query of the database and throw an unchecked exception when it fails,
 * which refuses whatever was asked.
 */
public interface ClusterDirectory {
  /** Whose token this is; empty for a token that is unknown, revoked or not for agents. */
  Optional<AgentCredential> authenticateAgent(String bearer);

  /**
   * Finds the cluster that registers by its cluster id, else by agent id under the same credential,
   * else creates it; then stores what it says of itself.
   *
   * @throws IllegalStateException if the credential may not register (another) cluster; the message
   *     is told to the agent
   */
  RegisteredCluster register(AgentCredential who, Registration what);

  /** The cluster with this id or uuid, if it is known. */
  Optional<RegisteredCluster> find(String clusterId);

  /**
   * Notes a heartbeat.
   *
   * @param json the heartbeat's payload, without secrets
   */
  void heartbeat(String clusterId, Instant at, String json);

  /** The token that the cluster's API server is called with; a secret. Empty if none was told. */
  Optional<String> serviceToken(String clusterId);

  /** Whether this bearer token may call the cluster's Kubernetes API. */
  boolean authorizeClient(String clusterId, String bearer);

  /** The id of a client's token, for the audit log; empty for a token that is nobody's. */
  default Optional<String> clientId(String bearer) {
    return Optional.empty();
  }

  /**
   * Whether this bearer token may call the Kubernetes API of any cluster, which tells a token of
   * another cluster (403) from one that is nobody's (401).
   */
  boolean knowsClient(String bearer);
}
