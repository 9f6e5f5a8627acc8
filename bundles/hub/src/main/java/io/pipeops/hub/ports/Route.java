package io.pipeops.hub.ports;

import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.hub.agents.AgentSession;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.store.ServicePort;
import java.io.IOException;

/** The way from a port to its service, by whichever agent serves the cluster now. */
final class Route {
  private final AgentSessions sessions;
  private final ServicePort port;

  Route(AgentSessions sessions, ServicePort port) {
    this.sessions = sessions;
    this.port = port;
  }

  /** A stream for TCP. */
  YamuxStream tcp() throws IOException, InterruptedException {
    return open(StreamHeader.TCP);
  }

  /** Whether datagrams keep their bounds with the agent that is there now. */
  boolean framed() throws IOException {
    return session().streams().knows(Extensions.DATAGRAMS);
  }

  /** A stream for UDP. */
  YamuxStream udp(boolean framed) throws IOException, InterruptedException {
    return open(framed ? StreamHeader.DATAGRAMS : StreamHeader.UDP);
  }

  private AgentSession session() throws IOException {
    return sessions
        .session(port.clusterId())
        .orElseThrow(() -> new IOException("the cluster's agent is not connected"));
  }

  private YamuxStream open(int protocol) throws IOException, InterruptedException {
    return session()
        .streams()
        .open(
            new StreamHeader(
                protocol, port.targetPort(), port.service(), port.namespace(), port.id()));
  }
}
