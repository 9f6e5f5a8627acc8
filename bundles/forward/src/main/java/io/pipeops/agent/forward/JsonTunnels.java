package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.forward.RefusedException.Reason;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.TcpTunnelClose;
import io.pipeops.agent.protocol.TcpTunnelData;
import io.pipeops.agent.protocol.TcpTunnelStart;
import io.pipeops.agent.protocol.UdpTunnelData;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** TCP and UDP as JSON messages (protocol 6), for peers without yamux. On the reader thread. */
final class JsonTunnels implements LinkHandler {
  static final String[] TYPES_HANDLED = {
    TcpTunnelStart.TYPE, TcpTunnelData.TYPE, TcpTunnelClose.TYPE, UdpTunnelData.TYPE
  };

  private static final Logger log = LoggerFactory.getLogger(JsonTunnels.class);

  private final Forwarding all;
  private final UdpClients clients;

  /** Bytes of all tunnels that wait for their services. */
  private final AtomicLong waiting = new AtomicLong();

  JsonTunnels(Forwarding all) {
    this.all = all;
    this.clients = new UdpClients(all);
  }

  @Override
  public void handle(Message message, Reply reply) {
    try {
      switch (message.type()) {
        case TcpTunnelStart.TYPE -> start(message, reply);
        case UdpTunnelData.TYPE -> clients.datagram(UdpTunnelData.parse(message.payload()), reply);
        // What belongs to a connection goes to it by its claim; the rest comes too late.
        default -> log.trace("Dropped type={}", message.type());
      }
    } catch (ProtocolException e) {
      log.debug("Ignored type={}: {}", message.type(), e.getMessage());
      if (message.type().equals(TcpTunnelStart.TYPE)) {
        refuse(message, reply, TcpTunnelClose.CONNECTION_FAILED, "malformed tcp_tunnel_start");
      }
    }
  }

  private void start(Message message, Reply reply) throws ProtocolException {
    TcpTunnelStart start = TcpTunnelStart.parse(message.payload());
    Settings settings = all.settings();
    if (!settings.tcp()) {
      all.meters().refused(Reason.TARGET);
      refuse(message, reply, TcpTunnelClose.CONNECTION_FAILED, "tunnelling disabled");
      return;
    }
    JsonConnection connection =
        new JsonConnection(all, settings, message.requestId(), start, reply, waiting);
    try {
      all.forwards().enter(connection, settings.tcpConnections());
    } catch (RefusedException e) {
      all.meters().refused(e.reason());
      refuse(message, reply, TcpTunnelClose.REGISTRATION_FAILED, e.getMessage());
      return;
    }
    if (!reply.claim(message.requestId(), connection)) {
      all.forwards().leave(connection);
      all.meters().refused(Reason.LIMIT);
      refuse(
          message,
          reply,
          TcpTunnelClose.REGISTRATION_FAILED,
          "a connection with this request_id is open already");
      return;
    }
    Thread.ofVirtual().name("forward-json").start(connection);
  }

  private static void refuse(Message message, Reply reply, String reason, String error) {
    reply.offer(
        Outgoing.text(
            Priority.CONTROL,
            message.requestId(),
            Envelopes.write(message.requestId(), new TcpTunnelClose(reason, error))));
  }

  /** Ends all UDP clients. */
  void close() {
    clients.close();
  }

  /** The target of a message: its service, else its Gateway's (protocol 6.2, Q35). */
  static String[] target(String service, String namespace, String gateway, String gatewaySpace) {
    return service.isEmpty() || namespace.isEmpty()
        ? new String[] {gateway, gatewaySpace}
        : new String[] {service, namespace};
  }

  static int port(String service, String namespace, int port, int gatewayPort) {
    return service.isEmpty() || namespace.isEmpty() ? gatewayPort : port;
  }
}
