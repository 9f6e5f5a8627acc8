package io.pipeops.agent.api.kubernetes;

import java.time.Duration;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The lead among the replicas of this agent. The service is there exactly as long as this replica
 * leads, together with the condition {@code agent.leader}; its service properties are modified when
 * the term changes while it leads.
 */
@ProviderType
public interface Leadership {
  /** The lease that elected this replica, as {@code namespace/name}; empty if nobody elects. */
  String lease();

  /**
   * Grows from one leader of a lease to the next, so that a peer can tell which of two is the newer
   * one; 0 if nobody elects.
   */
  long term();

  /**
   * Gives the lead away while this replica still serves, which it may do until the other one has
   * taken over. The service is gone when this returns, and this replica does not stand for election
   * again. Blocks until another replica leads, at most for the limit.
   *
   * @return whether another replica leads now; false at once if nobody elects
   */
  boolean handOver(Duration limit) throws InterruptedException;
}
