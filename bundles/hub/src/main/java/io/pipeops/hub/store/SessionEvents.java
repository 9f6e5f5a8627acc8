package io.pipeops.hub.store;

import io.pipeops.hub.agents.RegisteredCluster;
import io.pipeops.hub.agents.SessionInfo;
import io.pipeops.hub.agents.SessionWatch;

/** Puts agents that come and go among the events. */
final class SessionEvents implements SessionWatch {
  private final EventFeed events;

  SessionEvents(EventFeed events) {
    this.events = events;
  }

  @Override
  public void connected(RegisteredCluster cluster, SessionInfo session) {
    events.publish(
        "connected",
        cluster.id(),
        cluster.name(),
        "agent %s from %s".formatted(session.agentId(), session.remoteAddress()));
  }

  @Override
  public void disconnected(RegisteredCluster cluster, String reason) {
    events.publish("disconnected", cluster.id(), cluster.name(), reason);
  }
}
