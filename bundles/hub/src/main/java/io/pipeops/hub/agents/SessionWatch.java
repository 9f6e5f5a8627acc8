package io.pipeops.hub.agents;

/**
 * Is told when an agent begins and ceases to serve a cluster. Called while sessions are locked: it
 * must not block.
 */
public interface SessionWatch {
  /** Tells nobody. */
  SessionWatch NONE =
      new SessionWatch() {
        @Override
        public void connected(RegisteredCluster cluster, SessionInfo session) {}

        @Override
        public void disconnected(RegisteredCluster cluster, String reason) {}
      };

  /** An agent serves the cluster from now on. */
  void connected(RegisteredCluster cluster, SessionInfo session);

  /** It does not any more. */
  void disconnected(RegisteredCluster cluster, String reason);
}
