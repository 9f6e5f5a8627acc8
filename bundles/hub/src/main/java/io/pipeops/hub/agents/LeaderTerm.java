package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.HandedOver;
import java.util.Map;

/**
 * By which election an agent leads its replicas. Of two agents of one cluster the one with the
 * higher term of the same lease is the newer leader, and takes the other's place; in all other
 * cases the second one waits.
 *
 * @param lease the lease, as namespace and name; empty if nothing elected it
 * @param term grows from one leader of the lease to the next
 */
record LeaderTerm(String lease, long term) {
  static final LeaderTerm NONE = new LeaderTerm("", 0);

  private static final int MAX_LEASE = 512;
  private static final int MAX_DIGITS = 18;

  static LeaderTerm of(Map<String, String> metadata) {
    return of(metadata.get(HandedOver.LEASE), metadata.get(HandedOver.TERM));
  }

  /** What cannot be a term counts as not said. */
  static LeaderTerm of(String lease, String term) {
    if (lease == null
        || term == null
        || lease.isEmpty()
        || lease.length() > MAX_LEASE
        || term.isEmpty()
        || term.length() > MAX_DIGITS
        || !term.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return NONE;
    }
    return new LeaderTerm(lease, Long.parseLong(term));
  }

  /** Whether an agent with this term follows one with the other. */
  boolean follows(LeaderTerm other) {
    return other.term > 0 && term > other.term && lease.equals(other.lease);
  }
}
