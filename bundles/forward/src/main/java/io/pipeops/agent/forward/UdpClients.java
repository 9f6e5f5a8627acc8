package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.protocol.UdpTunnelData;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The UDP clients of the JSON form: one session with a socket of its own for each (Q38). */
final class UdpClients {
  private static final Logger log = LoggerFactory.getLogger(UdpClients.class);

  /** Longer names than any peer needs. */
  private static final int LONGEST_NAME = 512;

  private final Forwarding all;
  private final Map<Client, UdpSession> sessions = new HashMap<>();

  UdpClients(Forwarding all) {
    this.all = all;
  }

  /** Who sent a datagram, on which connection. */
  record Client(Reply reply, String tunnelId, String address, int port) {}

  /** Takes a datagram of the peer. Never blocks; what cannot be carried is dropped, as UDP is. */
  void datagram(UdpTunnelData data, Reply reply) {
    Settings settings = all.settings();
    if (!settings.udp()
        || data.tunnelId().length() > LONGEST_NAME
        || data.clientAddr().length() > LONGEST_NAME) {
      return;
    }
    Client client = new Client(reply, data.tunnelId(), data.clientAddr(), data.clientPort());
    UdpSession session;
    synchronized (sessions) {
      session = sessions.get(client);
      if (session == null) {
        session = new UdpSession(all, settings, client, data, this::ended);
        try {
          all.forwards().enter(session, settings.udpSessions());
        } catch (RefusedException e) {
          all.meters().refused(e.reason());
          log.debug("Datagram dropped: {}", e.getMessage());
          return;
        }
        sessions.put(client, session);
        Thread.ofVirtual().name("forward-udp").start(session);
      }
    }
    session.offer(data.data());
  }

  private void ended(UdpSession session) {
    synchronized (sessions) {
      sessions.remove(session.client(), session);
    }
    all.forwards().leave(session);
  }

  void close() {
    List<UdpSession> last;
    synchronized (sessions) {
      last = List.copyOf(sessions.values());
    }
    last.forEach(UdpSession::cut);
  }
}
