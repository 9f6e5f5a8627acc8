package io.pipeops.hub.store;

import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.Registration;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Clusters in the database, and the rules of who may register which. */
final class ClusterRecords {
  private static final Logger log = LoggerFactory.getLogger(ClusterRecords.class);
  static final int MAX_CLUSTERS = 10_000;
  static final int MAX_JSON = 64 * 1024;
  private static final int MAX_SECRET = 16 * 1024;
  private static final int MAX_CA = 256 * 1024;
  private static final long REMEMBER_NANOS = Duration.ofSeconds(10).toNanos();
  private static final String COLUMNS =
      "id, token_id, agent_id, name, agent_version, k8s_version, region, provider, registration,"
          + " ca_pem, created_at, last_registered_at, last_heartbeat_at, heartbeat";

  private record Secret(Optional<String> token, long since) {}

  private final Database database;
  private final SecretBox box;
  private final Map<String, Secret> secrets = new HashMap<>();
  private long changes;

  ClusterRecords(Database database, SecretBox box) {
    this.database = database;
    this.box = box;
  }

  /**
   * Finds or makes the cluster and stores what it says of itself. Registrations under one token are
   * done one after the other, on all hubs of a database: the same agent twice at once is one
   * cluster.
   *
   * @throws IllegalStateException if the token may not register it; the message is for the agent
   */
  ClusterRecord register(AgentCredential who, Registration what) {
    if (what.json().length() > MAX_JSON
        || what.serviceToken().length() > MAX_SECRET
        || what.caPem().length() > MAX_CA) {
      throw new IllegalStateException("The registration is too large");
    }
    UUID token =
        Columns.uuid(who.id()).orElseThrow(() -> new IllegalStateException("Unknown agent token"));
    String agent = Columns.clean(what.agentId(), 512);
    if (agent.isEmpty()) {
      throw new IllegalStateException("The registration lacks agent_id");
    }
    ClusterRecord cluster =
        database.transaction(
            connection -> {
              Optional<UUID> only = lockToken(connection, token);
              UUID id = choose(connection, token, only, agent, what.clusterId());
              boolean known = id != null;
              UUID chosen = known ? id : UUID.randomUUID();
              store(connection, chosen, known, token, agent, what);
              return byId(connection, chosen).orElseThrow();
            });
    forget(cluster.id());
    return cluster;
  }

  /** Holds the token's row until the transaction ends. */
  private static Optional<UUID> lockToken(Connection connection, UUID token) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT cluster_id, revoked_at FROM access_token WHERE id = ? AND kind = 'agent'"
                + " FOR UPDATE")) {
      query.setObject(1, token);
      try (ResultSet rows = query.executeQuery()) {
        if (!rows.next() || rows.getObject("revoked_at") != null) {
          throw new IllegalStateException("The agent's token was revoked");
        }
        return Optional.ofNullable(rows.getObject("cluster_id", UUID.class));
      }
    }
  }

  private static UUID choose(
      Connection connection, UUID token, Optional<UUID> only, String agent, String claimed)
      throws SQLException {
    Optional<ClusterRecord> named = Optional.empty();
    Optional<UUID> claim = Columns.uuid(claimed);
    if (claim.isPresent()) {
      named = byId(connection, claim.get());
    }
    if (only.isPresent()) {
      if (named.isPresent() && !named.get().id().equals(only.get().toString())) {
        throw new IllegalStateException("This token is for cluster " + only.get() + " only");
      }
      return only.get();
    }
    if (named.isPresent()) {
      if (!named.get().tokenId().equals(token.toString())
          && isValid(connection, UUID.fromString(named.get().tokenId()))) {
        throw new IllegalStateException(
            "Cluster %s was registered with another token; revoke that one first, or use a token"
                    .formatted(claimed)
                + " that was made for this cluster");
      }
      return claim.get();
    }
    return byAgent(connection, token, agent);
  }

  private static boolean isValid(Connection connection, UUID token) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT 1 FROM access_token WHERE id = ? AND revoked_at IS NULL"
                + " AND (expires_at IS NULL OR expires_at > ?)")) {
      query.setObject(1, token);
      Columns.set(query, 2, Columns.now());
      try (ResultSet rows = query.executeQuery()) {
        return rows.next();
      }
    }
  }

  private static UUID byAgent(Connection connection, UUID token, String agent) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT id FROM cluster WHERE token_id = ? AND agent_id = ?"
                + " ORDER BY last_registered_at DESC LIMIT 1")) {
      query.setObject(1, token);
      query.setString(2, agent);
      try (ResultSet rows = query.executeQuery()) {
        return rows.next() ? rows.getObject("id", UUID.class) : null;
      }
    }
  }

  private void store(
      Connection connection, UUID id, boolean known, UUID token, String agent, Registration what)
      throws SQLException {
    Instant now = Columns.now();
    if (!known) {
      insert(connection, id, token, agent, now);
    }
    // A registration without the secret or the CA says nothing about them: the stored ones stay.
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE cluster SET token_id = ?, agent_id = ?, name = ?, agent_version = ?,"
                + " k8s_version = ?, region = ?, provider = ?, registration = ?,"
                + " service_token = COALESCE(?, service_token),"
                + " ca_pem = COALESCE(?, ca_pem), last_registered_at = ? WHERE id = ?")) {
      String name = Columns.clean(what.name(), 256);
      update.setObject(1, token);
      update.setString(2, agent);
      update.setString(3, name.isEmpty() ? Columns.clean(agent, 256) : name);
      update.setString(4, Columns.clean(what.version(), 128));
      update.setString(5, Columns.clean(what.k8sVersion(), 128));
      update.setString(6, Columns.clean(what.region(), 128));
      update.setString(7, Columns.clean(what.provider(), 128));
      update.setString(8, Columns.clean(what.json(), MAX_JSON));
      if (what.serviceToken().isEmpty()) {
        update.setNull(9, java.sql.Types.BINARY);
      } else {
        update.setBytes(9, box.seal(id.toString(), what.serviceToken()));
      }
      update.setString(10, what.caPem().isEmpty() ? null : what.caPem().replace("\0", ""));
      Columns.set(update, 11, now);
      update.setObject(12, id);
      update.executeUpdate();
    }
  }

  private static void insert(Connection connection, UUID id, UUID token, String agent, Instant now)
      throws SQLException {
    try (PreparedStatement count = connection.prepareStatement("SELECT COUNT(*) FROM cluster");
        ResultSet rows = count.executeQuery()) {
      rows.next();
      if (rows.getLong(1) >= MAX_CLUSTERS) {
        throw new IllegalStateException(
            "The hub has %d clusters, which is its limit; delete some".formatted(MAX_CLUSTERS));
      }
    }
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO cluster (id, token_id, agent_id, name, agent_version, k8s_version,"
                + " region, provider, registration, ca_pem, created_at, last_registered_at)"
                + " VALUES (?, ?, ?, '', '', '', '', '', '{}', '', ?, ?)")) {
      insert.setObject(1, id);
      insert.setObject(2, token);
      insert.setString(3, agent);
      Columns.set(insert, 4, now);
      Columns.set(insert, 5, now);
      insert.executeUpdate();
    }
  }

  Optional<ClusterRecord> find(UUID id) {
    return database.query(connection -> byId(connection, id));
  }

  private static Optional<ClusterRecord> byId(Connection connection, UUID id) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement("SELECT " + COLUMNS + " FROM cluster WHERE id = ?")) {
      query.setObject(1, id);
      try (ResultSet rows = query.executeQuery()) {
        return rows.next() ? Optional.of(cluster(rows)) : Optional.empty();
      }
    }
  }

  /** Clusters in the order of their ids, which is what {@code after} means. */
  List<ClusterRecord> list(UUID after, int limit) {
    return database.query(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT "
                      + COLUMNS
                      + " FROM cluster"
                      + (after == null ? "" : " WHERE id > ?")
                      + " ORDER BY id LIMIT ?")) {
            int index = 1;
            if (after != null) {
              query.setObject(index++, after);
            }
            query.setInt(index, limit);
            List<ClusterRecord> clusters = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
              while (rows.next()) {
                clusters.add(cluster(rows));
              }
            }
            return clusters;
          }
        });
  }

  /** Deletes a cluster with the tokens that were made for it. */
  boolean delete(UUID id) {
    int deleted =
        database.transaction(
            connection -> {
              try (PreparedStatement delete =
                  connection.prepareStatement("DELETE FROM cluster WHERE id = ?")) {
                delete.setObject(1, id);
                return delete.executeUpdate();
              }
            });
    forget(id.toString());
    return deleted > 0;
  }

  /** The token for the cluster's API server, remembered for a few seconds. */
  Optional<String> serviceToken(UUID id) {
    long seen;
    synchronized (secrets) {
      Secret hit = secrets.get(id.toString());
      if (hit != null && System.nanoTime() - hit.since() < REMEMBER_NANOS) {
        return hit.token();
      }
      seen = changes;
    }
    Optional<byte[]> sealed =
        database.query(
            connection -> {
              try (PreparedStatement query =
                  connection.prepareStatement("SELECT service_token FROM cluster WHERE id = ?")) {
                query.setObject(1, id);
                try (ResultSet rows = query.executeQuery()) {
                  return rows.next() ? Optional.ofNullable(rows.getBytes(1)) : Optional.empty();
                }
              }
            });
    Optional<String> token = sealed.flatMap(value -> box.open(id.toString(), value));
    if (sealed.isPresent() && token.isEmpty()) {
      log.warn(
          "Stored token was encrypted with another key; the agent's next registration brings it"
              + " again cluster={}",
          id);
    }
    synchronized (secrets) {
      // Not what was read before a registration that has brought another one meanwhile.
      if (sealed.isPresent() && seen == changes) {
        secrets.put(id.toString(), new Secret(token, System.nanoTime()));
      }
    }
    return token;
  }

  private void forget(String id) {
    synchronized (secrets) {
      changes++;
      secrets.remove(id);
    }
  }

  private static ClusterRecord cluster(ResultSet row) throws SQLException {
    String heartbeat = row.getString("heartbeat");
    return new ClusterRecord(
        row.getObject("id", UUID.class).toString(),
        row.getObject("token_id", UUID.class).toString(),
        row.getString("agent_id"),
        row.getString("name"),
        row.getString("agent_version"),
        row.getString("k8s_version"),
        row.getString("region"),
        row.getString("provider"),
        row.getString("registration"),
        row.getString("ca_pem"),
        Columns.time(row, "created_at"),
        Columns.time(row, "last_registered_at"),
        Columns.optionalTime(row, "last_heartbeat_at"),
        heartbeat == null ? "" : heartbeat);
  }
}
