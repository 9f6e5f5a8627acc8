package io.pipeops.hub.rest;

import io.pipeops.hub.agents.AgentSession;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.agents.SessionInfo;
import java.util.Optional;

/** What the REST API asks and tells the agents' side. */
public interface LiveSessions {
  /** The session of a cluster's agent, if one is connected. */
  Optional<SessionInfo> find(String clusterId);

  /** How many agents are connected. */
  int count();

  /** Closes the connection of a cluster's agent. */
  void disconnect(String clusterId, String reason);

  /** Closes all connections made with a token. */
  void disconnectCredential(String tokenId, String reason);

  /** The sessions of this hub. */
  static LiveSessions of(AgentSessions sessions) {
    return new LiveSessions() {
      @Override
      public Optional<SessionInfo> find(String clusterId) {
        return sessions.session(clusterId).map(AgentSession::info);
      }

      @Override
      public int count() {
        return sessions.list().size();
      }

      @Override
      public void disconnect(String clusterId, String reason) {
        sessions.disconnect(clusterId, reason);
      }

      @Override
      public void disconnectCredential(String tokenId, String reason) {
        sessions.disconnectCredential(tokenId, reason);
      }
    };
  }
}
