package io.pipeops.agent.api.link;

import java.time.Instant;

/**
 * The connection as it is now.
 *
 * @param state where it stands
 * @param since when it got there
 * @param reason why it is not connected, for an operator; empty while all is well
 * @param agentId this agent's identity; empty until it is known
 * @param clusterId the registered cluster; empty while not registered
 * @param peer scheme, host and port of the present or last peer; empty before the first attempt
 * @param gateway whether the peer is a gateway that the controller named
 */
public record LinkStatus(
    LinkState state,
    Instant since,
    String reason,
    String agentId,
    String clusterId,
    String peer,
    boolean gateway) {
  public boolean connected() {
    return state == LinkState.CONNECTED;
  }

  public boolean registered() {
    return !clusterId.isEmpty();
  }
}
