package io.pipeops.hub.agents;

import java.time.Instant;
import java.util.Optional;

/**
 * One agent's session as it is now.
 *
 * @param clusterId the cluster it serves
 * @param agentId the agent, as it called itself; empty if it has not said yet
 * @param agentVersion its version, as it called it; empty if it has not said yet
 * @param credentialId the credential it came with
 * @param state what it is doing
 * @param gateway whether it came in by the gateway's endpoint
 * @param since when it was established
 * @param remoteAddress where it comes from
 * @param lastHeartbeat when its last heartbeat arrived
 * @param streams requests in flight
 * @param bytesIn bytes of messages received
 * @param bytesOut bytes of messages sent
 */
public record SessionInfo(
    String clusterId,
    String agentId,
    String agentVersion,
    String credentialId,
    State state,
    boolean gateway,
    Instant since,
    String remoteAddress,
    Optional<Instant> lastHeartbeat,
    int streams,
    long bytesIn,
    long bytesOut) {
  /** What a session is doing. */
  public enum State {
    /** Accepted, but its WebSocket is not open yet. */
    CONNECTING,
    /** Serving. */
    CONNECTED,
    /** Over. */
    CLOSED
  }
}
