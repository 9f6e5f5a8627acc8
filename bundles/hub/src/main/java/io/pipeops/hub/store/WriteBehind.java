package io.pipeops.hub.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * What need not be in the database at once: heartbeats, when a token was used, the log of events.
 * The newest value of each waits in memory and all of them go in one transaction, at most once per
 * interval. While the database is away they wait on, newest first kept, bounded.
 */
final class WriteBehind implements AutoCloseable {
  /** A cluster's last heartbeat. */
  record Beat(Instant at, String json) {}

  static final int MAX_EVENTS = 10_000;
  private static final int MAX_WAITING_EVENTS = 1024;
  private static final int MAX_WAITING_TOKENS = 8192;
  private static final long TRIM_NANOS = Duration.ofHours(1).toNanos();
  private static final Duration FORGET_TOKENS = Duration.ofDays(30);

  private final Database database;
  private final long intervalNanos;
  private final Thread writer;
  private final Object writing = new Object();

  private final Map<String, Beat> latest = new HashMap<>();
  private final Map<String, Beat> beats = new HashMap<>();
  private final Map<String, Instant> used = new HashMap<>();
  private final ArrayDeque<HubEvent> events = new ArrayDeque<>();
  private boolean closed;
  private long trimmed = System.nanoTime() - TRIM_NANOS;

  WriteBehind(Database database, Duration interval) {
    this.database = database;
    this.intervalNanos = Math.max(1, interval.toNanos());
    this.writer = Thread.ofVirtual().name("hub-write-behind").start(this::run);
  }

  synchronized void beat(String cluster, Instant at, String json) {
    if (!latest.containsKey(cluster) && latest.size() >= ClusterRecords.MAX_CLUSTERS) {
      return;
    }
    Beat beat = new Beat(at, json);
    latest.put(cluster, beat);
    beats.put(cluster, beat);
    notifyAll();
  }

  /** The last heartbeat since the hub's start. */
  synchronized Optional<Beat> latest(String cluster) {
    return Optional.ofNullable(latest.get(cluster));
  }

  synchronized void forget(String cluster) {
    latest.remove(cluster);
    beats.remove(cluster);
  }

  synchronized void used(String token, Instant at) {
    if (used.size() < MAX_WAITING_TOKENS || used.containsKey(token)) {
      used.put(token, at);
      notifyAll();
    }
  }

  synchronized void log(HubEvent event) {
    if (event.type().equals("heartbeat")) {
      return;
    }
    if (events.size() >= MAX_WAITING_EVENTS) {
      events.removeFirst();
    }
    events.addLast(event);
    notifyAll();
  }

  private void run() {
    try {
      while (awaitWork()) {
        write();
        pause();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean awaitWork() throws InterruptedException {
    while (!closed && beats.isEmpty() && used.isEmpty() && events.isEmpty()) {
      wait();
    }
    return !closed;
  }

  private synchronized void pause() throws InterruptedException {
    long end = System.nanoTime() + intervalNanos;
    for (long left = intervalNanos; !closed && left > 0; left = end - System.nanoTime()) {
      wait(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
    }
  }

  /** Writes what waits; what could not be written waits again unless there is something newer. */
  void write() {
    // One after the other: what is newer must not be overtaken by what is older.
    synchronized (writing) {
      writeAll();
    }
  }

  private void writeAll() {
    Map<String, Beat> someBeats;
    Map<String, Instant> someUsed;
    List<HubEvent> someEvents;
    boolean trim;
    synchronized (this) {
      someBeats = new HashMap<>(beats);
      someUsed = new HashMap<>(used);
      someEvents = new ArrayList<>(events);
      beats.clear();
      used.clear();
      events.clear();
      trim = System.nanoTime() - trimmed >= TRIM_NANOS;
    }
    try {
      database.transaction(
          connection -> {
            writeBeats(connection, someBeats);
            writeUsed(connection, someUsed);
            writeEvents(connection, someEvents);
            if (trim) {
              trim(connection);
            }
            return null;
          });
      if (trim) {
        synchronized (this) {
          trimmed = System.nanoTime();
        }
      }
    } catch (RuntimeException | AssertionError e) {
      // The database has said so in the log once; this keeps trying. (The PostgreSQL driver
      // asserts, where assertions are on, that a batch never meets a closed connection.)
      synchronized (this) {
        someBeats.forEach(beats::putIfAbsent);
        beats.keySet().retainAll(latest.keySet());
        someUsed.forEach(used::putIfAbsent);
        putBack(someEvents);
      }
    }
  }

  private void putBack(List<HubEvent> older) {
    for (int i = older.size() - 1; i >= 0 && events.size() < MAX_WAITING_EVENTS; i--) {
      events.addFirst(older.get(i));
    }
  }

  private static void writeBeats(Connection connection, Map<String, Beat> beats)
      throws SQLException {
    if (beats.isEmpty()) {
      return;
    }
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE cluster SET last_heartbeat_at = ?, heartbeat = ? WHERE id = ?")) {
      for (Map.Entry<String, Beat> beat : sorted(beats)) {
        Columns.set(update, 1, beat.getValue().at());
        update.setString(2, beat.getValue().json());
        update.setObject(3, UUID.fromString(beat.getKey()));
        update.addBatch();
      }
      update.executeBatch();
    }
  }

  private static void writeUsed(Connection connection, Map<String, Instant> used)
      throws SQLException {
    if (used.isEmpty()) {
      return;
    }
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE access_token SET last_used_at = ? WHERE id = ?")) {
      for (Map.Entry<String, Instant> token : sorted(used)) {
        Columns.set(update, 1, token.getValue());
        update.setObject(2, UUID.fromString(token.getKey()));
        update.addBatch();
      }
      update.executeBatch();
    }
  }

  /** In one order always, so that two hubs on a database do not wait for each other. */
  private static <T> Collection<Map.Entry<String, T>> sorted(Map<String, T> map) {
    return map.entrySet().stream().sorted(Map.Entry.comparingByKey()).toList();
  }

  private static void writeEvents(Connection connection, List<HubEvent> events)
      throws SQLException {
    if (events.isEmpty()) {
      return;
    }
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO event_log (at, type, cluster_id, detail) VALUES (?, ?, ?, ?)")) {
      for (HubEvent event : events) {
        Columns.set(insert, 1, event.at());
        insert.setString(2, event.type());
        insert.setString(3, event.clusterId());
        insert.setString(4, event.detail());
        insert.addBatch();
      }
      insert.executeBatch();
    }
  }

  private static void trim(Connection connection) throws SQLException {
    try (PreparedStatement delete =
        connection.prepareStatement(
            "DELETE FROM event_log WHERE id <= (SELECT MAX(id) - ? FROM event_log)")) {
      delete.setLong(1, MAX_EVENTS);
      delete.executeUpdate();
    }
    try (PreparedStatement delete =
        connection.prepareStatement(
            "DELETE FROM access_token WHERE kind <> 'admin'"
                + " AND (revoked_at < ? OR expires_at < ?)")) {
      Instant before = Instant.now().minus(FORGET_TOKENS);
      Columns.set(delete, 1, before);
      Columns.set(delete, 2, before);
      delete.executeUpdate();
    }
  }

  /** The log, newest first. */
  List<LoggedEvent> logged(long before, int limit) {
    return database.query(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT id, at, type, cluster_id, detail FROM event_log WHERE id < ?"
                      + " ORDER BY id DESC LIMIT ?")) {
            query.setLong(1, before);
            query.setInt(2, limit);
            List<LoggedEvent> logged = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
              while (rows.next()) {
                logged.add(
                    new LoggedEvent(
                        rows.getLong("id"),
                        Columns.time(rows, "at"),
                        rows.getString("type"),
                        rows.getString("cluster_id"),
                        rows.getString("detail")));
              }
            }
            return logged;
          }
        });
  }

  /** Writes what waits, once, and ends. */
  @Override
  public void close() throws InterruptedException {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    writer.join(Duration.ofSeconds(10));
    write();
  }
}
