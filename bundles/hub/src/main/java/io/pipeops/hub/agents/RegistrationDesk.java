package io.pipeops.hub.agents;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.Heartbeat;
import io.pipeops.agent.protocol.HeartbeatAck;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.Register;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers {@code register} and {@code heartbeat} (protocol 1.6 to 1.14). An agent that comes back
 * to a controller connection does not register again: its first heartbeat tells which cluster it
 * serves. All methods may block and are called on the connection's control lane.
 */
final class RegistrationDesk {
  private static final Logger log = LoggerFactory.getLogger(RegistrationDesk.class);
  private static final int MAX_PAYLOAD = 256 << 10;
  private static final int MAX_TEXT = 253;

  /** The agent registers anew when an error says this (protocol 1.14). */
  static final String NOT_FOUND = "cluster not found";

  private final ClusterDirectory directory;
  private final AgentSessions sessions;
  private final AgentMetrics metrics;

  RegistrationDesk(ClusterDirectory directory, AgentSessions sessions, AgentMetrics metrics) {
    this.directory = directory;
    this.sessions = sessions;
    this.metrics = metrics;
  }

  /** Whether a credential may speak for a cluster. */
  static boolean owns(AgentCredential who, RegisteredCluster cluster) {
    return who.clusterId()
        .map(cluster.id()::equals)
        .orElseGet(() -> cluster.credentialId().equals(who.id()));
  }

  void register(AgentConnection connection, Message message) {
    if (connection.over()) {
      return;
    }
    try {
      Register register = parse(message);
      Registration what = read(register);
      LeaderTerm term = LeaderTerm.of(register.metadata());
      if (!what.clusterId().isEmpty() && refused(connection, message, what, term)) {
        return;
      }
      RegisteredCluster cluster = directory.register(connection.credential(), what);
      accept(connection, message, what, cluster, term);
    } catch (ProtocolException e) {
      metrics.malformed.increment();
      error(connection, message, e.getMessage());
    } catch (IllegalStateException e) {
      metrics.refused.increment();
      log.warn("Registration refused: {} reason={}", connection.describe(), e.getMessage());
      error(connection, message, "registration refused: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.warn(
          "Registration failed, the agent will try again: {} cause={}",
          connection.describe(),
          e.toString());
      error(connection, message, "registration failed, the hub's store is not available");
    }
  }

  /**
   * A cluster that is being served keeps what it registered: whoever asks second is told off first.
   */
  private boolean refused(
      AgentConnection connection, Message message, Registration what, LeaderTerm term)
      throws InterruptedException {
    Optional<RegisteredCluster> known = directory.find(what.clusterId());
    return known.isPresent()
        && owns(connection.credential(), known.get())
        && taken(connection, message, what, known.get(), term);
  }

  private boolean taken(
      AgentConnection connection,
      Message message,
      Registration what,
      RegisteredCluster cluster,
      LeaderTerm term)
      throws InterruptedException {
    if (!sessions.heldByOther(connection, cluster.id(), what.agentId(), term)) {
      return false;
    }
    alreadyConnected(connection, message, cluster);
    return true;
  }

  private void accept(
      AgentConnection connection,
      Message message,
      Registration what,
      RegisteredCluster cluster,
      LeaderTerm term)
      throws InterruptedException {
    String gatewayUrl = connection.gateway() ? "" : connection.gatewayUrl();
    if (gatewayUrl.isEmpty()) {
      Optional<AgentSession> session = sessions.claim(connection, cluster, what.agentId(), term);
      if (session.isEmpty()) {
        alreadyConnected(connection, message, cluster);
        return;
      }
      session.get().introduced(what.agentId(), what.version());
    } else if (taken(connection, message, what, cluster, term)) {
      return;
    }
    metrics.registrations.increment();
    log.info(
        "Cluster registered: cluster={} name={} agent={} version={} remote={}",
        cluster.id(),
        PeerText.clean(cluster.name()),
        PeerText.clean(what.agentId()),
        PeerText.clean(what.version()),
        connection.remoteAddress());
    send(
        connection,
        message,
        new RegisterSuccess(
            cluster.id(),
            cluster.uuid(),
            cluster.name(),
            "registered",
            "",
            "",
            0,
            "",
            gatewayUrl,
            Map.of(HandedOver.OFFER, true)));
    if (gatewayUrl.isEmpty()) {
      connection.streams().offer();
    }
  }

  private static Register parse(Message message) throws ProtocolException {
    if (message.payload().length() > MAX_PAYLOAD) {
      throw new ProtocolException("register: too long");
    }
    return Register.parse(message.payload());
  }

  private static Registration read(Register register) throws ProtocolException {
    if (register.name().isBlank() || register.agentId().isBlank()) {
      throw new ProtocolException("register: name and agent_id are required");
    }
    for (String text : new String[] {register.name(), register.agentId(), register.clusterId()}) {
      if (text.length() > MAX_TEXT) {
        throw new ProtocolException("register: name, agent_id or cluster_id too long");
      }
    }
    return new Registration(
        PeerText.clean(register.name(), MAX_TEXT),
        PeerText.clean(register.agentId(), MAX_TEXT),
        PeerText.clean(register.clusterId(), MAX_TEXT),
        PeerText.clean(register.agentVersion(), MAX_TEXT),
        PeerText.clean(register.k8sVersion(), MAX_TEXT),
        PeerText.clean(register.region(), MAX_TEXT),
        PeerText.clean(register.cloudProvider(), MAX_TEXT),
        Redaction.json(register.fields()),
        headerSafe(register.k8sServiceToken()),
        pem(register.extra().get("cluster_cert_data")));
  }

  /** A token that could not stand in a header is none. */
  private static String headerSafe(String token) {
    return token.length() <= 16 << 10 && token.chars().allMatch(c -> c > 0x20 && c < 0x7f)
        ? token
        : "";
  }

  private static String pem(Object base64) {
    if (!(base64 instanceof String text)) {
      return "";
    }
    try {
      String pem = new String(Base64.getDecoder().decode(text), StandardCharsets.US_ASCII);
      return pem.startsWith("-----BEGIN CERTIFICATE-----") ? pem : "";
    } catch (IllegalArgumentException e) {
      return "";
    }
  }

  void heartbeat(AgentConnection connection, Message message) {
    if (connection.over()) {
      return;
    }
    try {
      if (message.payload().length() > MAX_PAYLOAD) {
        throw new ProtocolException("heartbeat: too long");
      }
      Heartbeat beat = Heartbeat.parse(message.payload());
      AgentSession session = sessionFor(connection, message, beat);
      if (session != null) {
        note(session, beat);
        send(connection, message, HeartbeatAck.now());
      }
    } catch (ProtocolException e) {
      metrics.malformed.increment();
      error(connection, message, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.warn("Heartbeat not stored: {} cause={}", connection.describe(), e.toString());
    }
  }

  private AgentSession sessionFor(AgentConnection connection, Message message, Heartbeat beat)
      throws InterruptedException {
    AgentSession session = connection.session();
    if (session != null
        && (beat.clusterId().isEmpty()
            || beat.clusterId().equals(session.cluster().id())
            || beat.clusterId().equals(session.cluster().uuid()))) {
      return session;
    }
    Optional<RegisteredCluster> cluster =
        beat.clusterId().isEmpty() || beat.clusterId().length() > MAX_TEXT
            ? Optional.empty()
            : directory.find(beat.clusterId()).filter(c -> owns(connection.credential(), c));
    if (session != null || cluster.isEmpty()) {
      metrics.refused.increment();
      log.info("Heartbeat of a cluster that is not known: {}", connection.describe());
      error(connection, message, NOT_FOUND);
      return null;
    }
    Optional<AgentSession> claimed =
        sessions.claim(connection, cluster.get(), beat.agentId(), LeaderTerm.NONE);
    if (claimed.isEmpty()) {
      alreadyConnected(connection, message, cluster.get());
      return null;
    }
    log.info("Cluster is back: {}", connection.describe());
    connection.streams().offer();
    return claimed.get();
  }

  private void note(AgentSession session, Heartbeat beat) {
    Instant now = Instant.now();
    metrics.heartbeats.increment();
    session.heartbeat(
        now,
        PeerText.clean(beat.agentId(), MAX_TEXT),
        beat.metadata().get("agent_version") instanceof String version
            ? PeerText.clean(version, MAX_TEXT)
            : "");
    directory.heartbeat(session.cluster().id(), now, Redaction.json(fields(beat)));
  }

  private static Map<String, Object> fields(Heartbeat beat) {
    Map<String, Object> fields = new java.util.LinkedHashMap<>();
    fields.put("agent_id", beat.agentId());
    fields.put("status", beat.status());
    fields.put("tunnel_status", beat.tunnelStatus());
    fields.put("metadata", beat.metadata());
    beat.extra().forEach(fields::putIfAbsent);
    return fields;
  }

  private void alreadyConnected(
      AgentConnection connection, Message message, RegisteredCluster cluster) {
    metrics.refused.increment();
    log.info(
        "Second agent refused, another one serves the cluster: cluster={} remote={}",
        cluster.id(),
        connection.remoteAddress());
    error(connection, message, alreadyConnected(cluster));
  }

  static String alreadyConnected(RegisteredCluster cluster) {
    return "cluster " + cluster.id() + " already connected";
  }

  private static void error(AgentConnection connection, Message message, String text) {
    send(connection, message, new ErrorMessage(text));
  }

  private static void send(AgentConnection connection, Message message, Payload payload) {
    connection.writer().control(Envelopes.write(message.requestId(), payload));
  }
}
