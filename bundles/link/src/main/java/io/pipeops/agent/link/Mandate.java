package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.protocol.HandedOver;
import java.util.Map;

/**
 * Whether this replica is the one to be connected: told by the election, asked by the loop. A
 * replica that is leaving keeps the connection it has until another one has taken over, and makes
 * no new one. Safe for all threads.
 */
final class Mandate {
  private volatile Leadership lead;
  private volatile boolean leaving;
  private volatile boolean follows;

  /** This replica leads from now on. */
  void give(Leadership given) {
    lead = given;
  }

  /** The lead is gone; false if another one has been given since. */
  synchronized boolean take(Leadership gone) {
    if (lead != gone) {
      return false;
    }
    lead = null;
    return true;
  }

  boolean leads() {
    return lead != null && !leaving;
  }

  /** Whether another replica is known to lead. */
  boolean follows() {
    return follows && lead == null;
  }

  void follow(boolean other) {
    follows = other;
  }

  /** The lead; null if there is none. */
  Leadership lead() {
    return lead;
  }

  /** The term to register with; 0 without an election. */
  long term() {
    Leadership now = lead;
    return now == null ? 0 : now.term();
  }

  /** The lease to register with; empty without an election. */
  String lease() {
    Leadership now = lead;
    return now == null ? "" : now.lease();
  }

  /** What says so where nothing is registered; empty without an election. */
  Map<String, String> headers() {
    Leadership now = lead;
    return now == null || now.term() == 0
        ? Map.of()
        : Map.of(
            HandedOver.LEASE_HEADER,
            now.lease(),
            HandedOver.TERM_HEADER,
            Long.toString(now.term()));
  }

  void leave() {
    leaving = true;
  }

  boolean leaving() {
    return leaving;
  }
}
