package io.pipeops.hub.store;

import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Tokens in the database, only by their hashes. Those in use are remembered for a few seconds, so
 * that a busy client does not cost a query for each request; a revocation forgets them at once.
 */
final class TokenRecords {
  static final int MAX_VALID = 1000;
  static final int NAME_LENGTH = 128;
  private static final int REMEMBERED = 4096;
  private static final long REMEMBER_NANOS = Duration.ofSeconds(10).toNanos();
  private static final String COLUMNS =
      "id, kind, name, hash, cluster_id, created_at, expires_at, last_used_at, revoked_at";

  private record Known(AccessToken token, byte[] hash) {}

  private record Remembered(Known known, long since) {}

  private final Database database;
  private final WriteBehind later;
  private final Map<String, Remembered> remembered =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Remembered> eldest) {
          return size() > REMEMBERED;
        }
      };
  private long revocations;

  TokenRecords(Database database, WriteBehind later) {
    this.database = database;
    this.later = later;
  }

  /**
   * Makes a token.
   *
   * @param cluster the only cluster that it is good for, or null
   * @param lifetime when it ends by itself, or null
   * @throws IllegalStateException if there are too many of them
   * @throws IllegalArgumentException if the cluster is unknown
   */
  IssuedToken issue(TokenKind kind, String name, UUID cluster, Duration lifetime) {
    String text = TokenText.generate(kind);
    return new IssuedToken(insert(kind, name, cluster, lifetime, TokenText.hash(text)), text);
  }

  private AccessToken insert(
      TokenKind kind, String name, UUID cluster, Duration lifetime, byte[] hash) {
    Instant now = Columns.now();
    AccessToken token =
        new AccessToken(
            UUID.randomUUID().toString(),
            kind,
            Columns.clean(name, NAME_LENGTH),
            Optional.ofNullable(cluster).map(UUID::toString),
            now,
            Optional.ofNullable(lifetime).map(now::plus),
            Optional.empty(),
            Optional.empty());
    database.transaction(
        connection -> {
          if (cluster != null && !clusterExists(connection, cluster)) {
            throw new IllegalArgumentException("There is no cluster " + cluster);
          }
          if (countValid(connection, kind, cluster, now) >= MAX_VALID) {
            throw new IllegalStateException(
                "There are %d valid tokens of this kind already; revoke some".formatted(MAX_VALID));
          }
          try (PreparedStatement insert =
              connection.prepareStatement(
                  "INSERT INTO access_token (id, kind, name, hash, cluster_id, created_at,"
                      + " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)")) {
            insert.setObject(1, UUID.fromString(token.id()));
            insert.setString(2, kind.column());
            insert.setString(3, token.name());
            insert.setBytes(4, hash);
            insert.setObject(5, cluster, java.sql.Types.OTHER);
            Columns.set(insert, 6, now);
            Columns.set(insert, 7, token.expires().orElse(null));
            return insert.executeUpdate();
          }
        });
    return token;
  }

  private static boolean clusterExists(Connection connection, UUID cluster) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement("SELECT 1 FROM cluster WHERE id = ?")) {
      query.setObject(1, cluster);
      try (ResultSet rows = query.executeQuery()) {
        return rows.next();
      }
    }
  }

  private static long countValid(Connection connection, TokenKind kind, UUID cluster, Instant now)
      throws SQLException {
    String which = cluster == null ? "" : " AND cluster_id = ?";
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT COUNT(*) FROM access_token WHERE kind = ? AND revoked_at IS NULL"
                + " AND (expires_at IS NULL OR expires_at > ?)"
                + which)) {
      query.setString(1, kind.column());
      Columns.set(query, 2, now);
      if (cluster != null) {
        query.setObject(3, cluster);
      }
      try (ResultSet rows = query.executeQuery()) {
        rows.next();
        return rows.getLong(1);
      }
    }
  }

  /** Makes sure that this token, which the operator has in a file, is known; revoked stays so. */
  void adopt(TokenKind kind, String name, String text) {
    byte[] hash = TokenText.hash(text);
    if (query(hash).isEmpty()) {
      insert(kind, name, null, null, hash);
    }
  }

  /** Whether this token was ever there, revoked or not. */
  boolean knows(String text) {
    return query(TokenText.hash(text)).isPresent();
  }

  /** Whose token this is, if it is one of that kind and valid now. */
  Optional<AccessToken> authenticate(TokenKind kind, String text) {
    if (text == null || !TokenText.plausible(kind, text)) {
      return Optional.empty();
    }
    byte[] hash = TokenText.hash(text);
    Instant now = Instant.now();
    Optional<AccessToken> token =
        lookUp(hash)
            // The index found it; the decision is a comparison that takes the same time always.
            .filter(known -> MessageDigest.isEqual(known.hash(), hash))
            .map(Known::token)
            .filter(known -> known.kind() == kind && known.valid(now));
    token.ifPresent(known -> later.used(known.id(), now));
    return token;
  }

  private Optional<Known> lookUp(byte[] hash) {
    String key = HexFormat.of().formatHex(hash);
    long seen;
    synchronized (remembered) {
      Remembered hit = remembered.get(key);
      if (hit != null && System.nanoTime() - hit.since() < REMEMBER_NANOS) {
        return Optional.of(hit.known());
      }
      seen = revocations;
    }
    Optional<Known> known = query(hash);
    synchronized (remembered) {
      if (known.isPresent() && seen == revocations) {
        remembered.put(key, new Remembered(known.get(), System.nanoTime()));
      } else {
        remembered.remove(key);
      }
    }
    return known;
  }

  private Optional<Known> query(byte[] hash) {
    return database.query(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT " + COLUMNS + " FROM access_token WHERE hash = ?")) {
            query.setBytes(1, hash);
            try (ResultSet rows = query.executeQuery()) {
              return rows.next()
                  ? Optional.of(new Known(token(rows), rows.getBytes("hash")))
                  : Optional.empty();
            }
          }
        });
  }

  /** Tokens in the order of their ids, which is what {@code after} means. */
  List<AccessToken> list(TokenKind kind, UUID cluster, UUID after, int limit) {
    return database.query(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT "
                      + COLUMNS
                      + " FROM access_token WHERE kind = ?"
                      + (cluster == null ? "" : " AND cluster_id = ?")
                      + (after == null ? "" : " AND id > ?")
                      + " ORDER BY id LIMIT ?")) {
            int index = 1;
            query.setString(index++, kind.column());
            if (cluster != null) {
              query.setObject(index++, cluster);
            }
            if (after != null) {
              query.setObject(index++, after);
            }
            query.setInt(index, limit);
            List<AccessToken> tokens = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
              while (rows.next()) {
                tokens.add(token(rows));
              }
            }
            return tokens;
          }
        });
  }

  /**
   * Revokes a token for good, at once.
   *
   * @param cluster whose token it must be, or null
   * @return false if there is no such token
   */
  boolean revoke(TokenKind kind, UUID id, UUID cluster) {
    int found =
        database.transaction(
            connection -> {
              try (PreparedStatement update =
                  connection.prepareStatement(
                      "UPDATE access_token SET revoked_at = COALESCE(revoked_at, ?)"
                          + " WHERE id = ? AND kind = ?"
                          + (cluster == null ? "" : " AND cluster_id = ?"))) {
                Columns.set(update, 1, Columns.now());
                update.setObject(2, id);
                update.setString(3, kind.column());
                if (cluster != null) {
                  update.setObject(4, cluster);
                }
                return update.executeUpdate();
              }
            });
    forget();
    return found > 0;
  }

  /** Revokes all tokens of a kind and name. */
  void revokeNamed(TokenKind kind, String name) {
    database.transaction(
        connection -> {
          try (PreparedStatement update =
              connection.prepareStatement(
                  "UPDATE access_token SET revoked_at = ? WHERE kind = ? AND name = ?"
                      + " AND revoked_at IS NULL")) {
            Columns.set(update, 1, Columns.now());
            update.setString(2, kind.column());
            update.setString(3, name);
            return update.executeUpdate();
          }
        });
    forget();
  }

  /** Ends what is remembered, because a token's row was changed or deleted. */
  void forget() {
    synchronized (remembered) {
      revocations++;
      remembered.clear();
    }
  }

  private static AccessToken token(ResultSet row) throws SQLException {
    UUID cluster = row.getObject("cluster_id", UUID.class);
    return new AccessToken(
        row.getObject("id", UUID.class).toString(),
        TokenKind.valueOf(row.getString("kind").toUpperCase(java.util.Locale.ROOT)),
        row.getString("name"),
        Optional.ofNullable(cluster).map(UUID::toString),
        Columns.time(row, "created_at"),
        Columns.optionalTime(row, "expires_at"),
        Columns.optionalTime(row, "last_used_at"),
        Columns.optionalTime(row, "revoked_at"));
  }
}
