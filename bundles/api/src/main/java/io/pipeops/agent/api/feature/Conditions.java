package io.pipeops.agent.api.feature;

/**
 * Ids of the OSGi conditions ({@code osgi.condition.id}) that the platform publishes. A component
 * that makes sense only then waits for one with {@code @SatisfyingConditionTarget}.
 */
public final class Conditions {
  /** The link is connected and registered. */
  public static final String LINK_CONNECTED = "link.connected";

  /** The cluster's API server answered at least once. */
  public static final String CLUSTER_REACHED = "cluster.reached";

  /**
   * This replica leads; always there when leader election is off. Goes before its streams have
   * ended.
   */
  public static final String AGENT_LEADER = "agent.leader";

  /** Another replica is known to lead, and this one stands by to follow it. */
  public static final String AGENT_STANDBY = "agent.standby";

  private Conditions() {}
}
