package io.pipeops.agent.sandbox;

import java.time.Instant;
import java.util.Optional;

/**
 * Brings what is nearer to what is wanted. Looks at the whole store each time, so that nothing is
 * missed and nothing must be remembered.
 */
interface Controller {
  /** Does one step. Returns when it must look again although nothing changes. */
  Optional<Instant> reconcile(Instant now);
}
