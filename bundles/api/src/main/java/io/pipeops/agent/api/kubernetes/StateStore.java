package io.pipeops.agent.api.kubernetes;

import java.util.function.UnaryOperator;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Keeps the agent's state in a ConfigMap and a Secret, with optimistic concurrency. While the
 * cluster cannot be reached or does not permit it, state is kept in memory and written as soon as
 * it can be. Both methods may block for a call to the API server, at most five seconds, the very
 * first one seven; both never fail.
 */
@ProviderType
public interface StateStore {
  /**
   * The state; read from the cluster once, at the first call. The agent id in it is never empty.
   */
  PersistedState load();

  /** Changes the state and returns what it is now. Writes nothing if the change changes nothing. */
  PersistedState update(UnaryOperator<PersistedState> change);
}
