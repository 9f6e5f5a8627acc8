package io.pipeops.hub.store;

import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.ClusterDirectory;
import io.pipeops.hub.agents.RegisteredCluster;
import io.pipeops.hub.agents.Registration;
import io.pipeops.hub.agents.SessionWatch;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hub's memory. Safe for all threads; every method but {@link #heartbeat} and {@link #events}
 * may wait for the database, within its limit, and throws {@link StoreUnavailableException} when
 * that fails. Nothing needs to be reopened afterwards.
 */
public final class HubStore implements ClusterDirectory, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HubStore.class);

  /** A longer heartbeat is noted, but what it says is dropped. */
  static final int MAX_HEARTBEAT = 32 * 1024;

  private final StateDirectory state;
  private final Database database;
  private final WriteBehind later;
  private final EventFeed events;
  private final TokenRecords tokens;
  private final ClusterRecords clusters;
  private final PortRecords ports;
  private final Map<String, String> names = new ConcurrentHashMap<>();

  private HubStore(StateDirectory state, Database database, StoreSettings settings)
      throws IOException {
    this.state = state;
    this.database = database;
    SecretBox box = SecretBox.open(state, settings.secretKey());
    this.later = new WriteBehind(database, settings.heartbeatWrites());
    this.events = new EventFeed(later::log);
    this.tokens = new TokenRecords(database, later);
    this.clusters = new ClusterRecords(database, box);
    this.ports = new PortRecords(database);
  }

  /**
   * Opens the state, creates what a first start needs, and brings old tables up to date. Takes a
   * second or so.
   *
   * @throws IOException if that is not possible; the message names the path or the database, the
   *     cause and what to do
   */
  public static HubStore open(StoreSettings settings) throws IOException {
    StateDirectory state = StateDirectory.open(settings.stateDir());
    Database database = null;
    HubStore store = null;
    try {
      database = Database.open(settings, state);
      store = new HubStore(state, database, settings);
      FirstTokens.ensure(state, settings.tokensDir(), store.tokens);
      return store;
    } catch (IOException | RuntimeException e) {
      if (store != null) {
        store.close();
      } else {
        if (database != null) {
          database.close();
        }
        state.close();
      }
      throw e instanceof IOException io ? io : new IOException(e.getMessage(), e);
    }
  }

  public StateDirectory state() {
    return state;
  }

  /** {@code h2} or {@code postgresql}. */
  public String databaseKind() {
    return database.kind();
  }

  /** What happens; it does not need the database. */
  public EventFeed events() {
    return events;
  }

  /** Makes agents that connect and disconnect appear among the events. */
  public SessionWatch sessionWatch() {
    return new SessionEvents(events);
  }

  /**
   * Asks the database for a sign of life. After a failure, which may have been a full disk, it must
   * also write again before it counts as well.
   */
  public void check() {
    database.check();
  }

  // What agents need

  @Override
  public Optional<AgentCredential> authenticateAgent(String bearer) {
    return tokens
        .authenticate(TokenKind.AGENT, bearer)
        .map(token -> new AgentCredential(token.id(), token.name(), token.clusterId()));
  }

  @Override
  public RegisteredCluster register(AgentCredential who, Registration what) {
    ClusterRecord cluster = clusters.register(who, what);
    names.put(cluster.id(), cluster.name());
    events.publish(
        "registered",
        cluster.id(),
        cluster.name(),
        "agent %s version %s, Kubernetes %s"
            .formatted(cluster.agentId(), cluster.agentVersion(), cluster.k8sVersion()));
    return cluster.registered();
  }

  @Override
  public Optional<RegisteredCluster> find(String clusterId) {
    Optional<ClusterRecord> cluster = Columns.uuid(clusterId).flatMap(clusters::find);
    cluster.ifPresent(found -> names.put(found.id(), found.name()));
    return cluster.map(ClusterRecord::registered);
  }

  @Override
  public void heartbeat(String clusterId, Instant at, String json) {
    if (Columns.uuid(clusterId).isEmpty()) {
      return;
    }
    String kept =
        json.length() <= MAX_HEARTBEAT ? Columns.clean(json, MAX_HEARTBEAT) : "{\"dropped\":true}";
    later.beat(clusterId, at, kept);
    HeartbeatSummary summary = HeartbeatSummary.parse(kept);
    events.publish(
        "heartbeat", clusterId, names.getOrDefault(clusterId, ""), summary.status(), summary);
  }

  @Override
  public Optional<String> serviceToken(String clusterId) {
    return Columns.uuid(clusterId).flatMap(clusters::serviceToken);
  }

  @Override
  public boolean authorizeClient(String clusterId, String bearer) {
    return tokens
        .authenticate(TokenKind.CLIENT, bearer)
        .flatMap(AccessToken::clusterId)
        .filter(clusterId::equals)
        .isPresent();
  }

  @Override
  public Optional<String> clientId(String bearer) {
    return tokens.authenticate(TokenKind.CLIENT, bearer).map(AccessToken::id);
  }

  @Override
  public boolean knowsClient(String bearer) {
    return tokens.authenticate(TokenKind.CLIENT, bearer).isPresent();
  }

  // What administrators need

  /** Whose token this is, if it may use the REST API. */
  public Optional<AccessToken> authenticateAdmin(String bearer) {
    return tokens.authenticate(TokenKind.ADMIN, bearer);
  }

  /**
   * Clusters in the order of their ids.
   *
   * @param after the id after which to begin; empty for the beginning
   */
  public List<ClusterRecord> clusters(String after, int limit) {
    return clusters.list(Columns.uuid(after).orElse(null), limit).stream()
        .map(this::withLatest)
        .toList();
  }

  public Optional<ClusterRecord> cluster(String id) {
    return Columns.uuid(id).flatMap(clusters::find).map(this::withLatest);
  }

  private ClusterRecord withLatest(ClusterRecord cluster) {
    return later
        .latest(cluster.id())
        .map(beat -> cluster.withHeartbeat(beat.at(), beat.json()))
        .orElse(cluster);
  }

  /** Deletes a cluster and its tokens. Its agent, if it comes again, registers a new one. */
  public boolean deleteCluster(String id) {
    Optional<ClusterRecord> cluster = cluster(id);
    boolean deleted = cluster.isPresent() && clusters.delete(UUID.fromString(id));
    if (deleted) {
      tokens.forget();
      later.forget(id);
      names.remove(id);
      events.publish("cluster_deleted", id, cluster.get().name(), "");
    }
    return deleted;
  }

  /**
   * Makes a token for a cluster's Kubernetes API.
   *
   * @throws IllegalArgumentException if there is no such cluster
   * @throws IllegalStateException if it has too many tokens
   */
  public IssuedToken issueClientToken(String clusterId, String name, Duration lifetime) {
    UUID cluster =
        Columns.uuid(clusterId)
            .orElseThrow(() -> new IllegalArgumentException("There is no cluster " + clusterId));
    return issued(tokens.issue(TokenKind.CLIENT, name, cluster, lifetime));
  }

  /**
   * Makes a token for agents.
   *
   * @param clusterId the only cluster that it may speak for; empty if it may register new ones
   * @param lifetime when it ends; null for never
   */
  public IssuedToken issueAgentToken(String name, String clusterId, Duration lifetime) {
    UUID cluster =
        clusterId.isEmpty()
            ? null
            : Columns.uuid(clusterId)
                .orElseThrow(
                    () -> new IllegalArgumentException("There is no cluster " + clusterId));
    return issued(tokens.issue(TokenKind.AGENT, name, cluster, lifetime));
  }

  private IssuedToken issued(IssuedToken issued) {
    AccessToken token = issued.token();
    events.publish(
        "token_created",
        token.clusterId().orElse(""),
        "",
        "%s token %s (%s)".formatted(token.kind().column(), token.id(), token.name()));
    return issued;
  }

  public List<AccessToken> clientTokens(String clusterId, String after, int limit) {
    return Columns.uuid(clusterId)
        .map(
            cluster ->
                tokens.list(TokenKind.CLIENT, cluster, Columns.uuid(after).orElse(null), limit))
        .orElse(List.of());
  }

  public List<AccessToken> agentTokens(String after, int limit) {
    return tokens.list(TokenKind.AGENT, null, Columns.uuid(after).orElse(null), limit);
  }

  /** Revokes a client's token at once; false if the cluster has no such token. */
  public boolean revokeClientToken(String clusterId, String tokenId) {
    Optional<UUID> cluster = Columns.uuid(clusterId);
    Optional<UUID> token = Columns.uuid(tokenId);
    return cluster.isPresent()
        && token.isPresent()
        && revoked(TokenKind.CLIENT, token.get(), cluster.get());
  }

  /** Revokes an agent's token at once: it cannot connect again. False if there is none. */
  public boolean revokeAgentToken(String tokenId) {
    return Columns.uuid(tokenId).filter(id -> revoked(TokenKind.AGENT, id, null)).isPresent();
  }

  private boolean revoked(TokenKind kind, UUID token, UUID cluster) {
    boolean found = tokens.revoke(kind, token, cluster);
    if (found) {
      events.publish(
          "token_revoked",
          cluster == null ? "" : cluster.toString(),
          "",
          "%s token %s".formatted(kind.column(), token));
    }
    return found;
  }

  // Ports

  /**
   * Stores a port of the hub that leads to a service of a cluster.
   *
   * @param candidates the hub's ports to choose from
   * @throws IllegalArgumentException if there is no such cluster
   * @throws IllegalStateException if none of them is free
   */
  public ServicePort createPort(
      String clusterId,
      String protocol,
      List<Integer> candidates,
      String service,
      String namespace,
      int targetPort) {
    UUID cluster =
        Columns.uuid(clusterId)
            .orElseThrow(() -> new IllegalArgumentException("There is no cluster " + clusterId));
    ServicePort made = ports.create(cluster, protocol, candidates, service, namespace, targetPort);
    events.publish(
        "port_created",
        clusterId,
        names.getOrDefault(clusterId, ""),
        "%s port %d to %s.%s:%d".formatted(protocol, made.port(), service, namespace, targetPort));
    return made;
  }

  /**
   * Ports in the order of their ids.
   *
   * @param clusterId whose; empty for all clusters
   */
  public List<ServicePort> ports(String clusterId, String after, int limit) {
    Optional<UUID> cluster = Columns.uuid(clusterId);
    return !clusterId.isEmpty() && cluster.isEmpty()
        ? List.of()
        : ports.list(cluster.orElse(null), Columns.uuid(after).orElse(null), limit);
  }

  /** Deletes a port; false if the cluster has no such port. */
  public boolean deletePort(String clusterId, String id) {
    Optional<UUID> cluster = Columns.uuid(clusterId);
    Optional<UUID> port = Columns.uuid(id);
    boolean deleted =
        cluster.isPresent() && port.isPresent() && ports.delete(cluster.get(), port.get());
    if (deleted) {
      events.publish("port_deleted", clusterId, names.getOrDefault(clusterId, ""), "port " + id);
    }
    return deleted;
  }

  /** The log of events, newest first, without heartbeats. */
  public List<LoggedEvent> loggedEvents(long before, int limit) {
    return later.logged(before, limit);
  }

  /** Writes now what waits to be written. */
  void flush() {
    later.write();
  }

  @Override
  public void close() {
    events.close();
    try {
      later.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    database.close();
    try {
      state.close();
    } catch (IOException e) {
      log.debug("Closing the state directory failed: {}", e.getMessage());
    }
  }
}
