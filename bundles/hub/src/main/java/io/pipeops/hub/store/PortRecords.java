package io.pipeops.hub.store;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/** Ports in the database. Safe for threads. */
final class PortRecords {
  private static final String COLUMNS =
      "id, cluster_id, protocol, port, service, namespace, target_port, created_at";

  private final Database database;

  PortRecords(Database database) {
    this.database = database;
  }

  /**
   * Stores a port, on the first of the candidates that is free.
   *
   * @param candidates ports to choose from, in order
   * @throws IllegalArgumentException if there is no such cluster
   * @throws IllegalStateException if none is free
   */
  ServicePort create(
      UUID cluster,
      String protocol,
      List<Integer> candidates,
      String service,
      String namespace,
      int targetPort) {
    return database.transaction(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement("SELECT id FROM cluster WHERE id = ?")) {
            query.setObject(1, cluster);
            try (ResultSet rows = query.executeQuery()) {
              if (!rows.next()) {
                throw new IllegalArgumentException("There is no cluster " + cluster);
              }
            }
          }
          Set<Integer> taken = new HashSet<>();
          try (PreparedStatement query =
              connection.prepareStatement("SELECT port FROM service_port WHERE protocol = ?")) {
            query.setString(1, protocol);
            try (ResultSet rows = query.executeQuery()) {
              while (rows.next()) {
                taken.add(rows.getInt(1));
              }
            }
          }
          int port =
              candidates.stream()
                  .filter(each -> !taken.contains(each))
                  .findFirst()
                  .orElseThrow(
                      () ->
                          new IllegalStateException(
                              candidates.size() == 1
                                  ? "Port " + candidates.getFirst() + " is in use already"
                                  : "All ports of hub.port_range are in use already"));
          ServicePort made =
              new ServicePort(
                  UUID.randomUUID().toString(),
                  cluster.toString(),
                  protocol,
                  port,
                  service,
                  namespace,
                  targetPort,
                  Columns.now());
          try (PreparedStatement insert =
              connection.prepareStatement(
                  "INSERT INTO service_port (" + COLUMNS + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)")) {
            insert.setObject(1, UUID.fromString(made.id()));
            insert.setObject(2, cluster);
            insert.setString(3, protocol);
            insert.setInt(4, port);
            insert.setString(5, service);
            insert.setString(6, namespace);
            insert.setInt(7, targetPort);
            Columns.set(insert, 8, made.created());
            insert.executeUpdate();
          }
          return made;
        });
  }

  /**
   * Ports in the order of their ids.
   *
   * @param cluster whose; null for all
   * @param after the id after which to begin; null for the beginning
   */
  List<ServicePort> list(UUID cluster, UUID after, int limit) {
    return database.query(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT "
                      + COLUMNS
                      + " FROM service_port WHERE 1 = 1"
                      + (cluster == null ? "" : " AND cluster_id = ?")
                      + (after == null ? "" : " AND id > ?")
                      + " ORDER BY id LIMIT ?")) {
            int index = 1;
            if (cluster != null) {
              query.setObject(index++, cluster);
            }
            if (after != null) {
              query.setObject(index++, after);
            }
            query.setInt(index, limit);
            List<ServicePort> ports = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
              while (rows.next()) {
                ports.add(port(rows));
              }
            }
            return ports;
          }
        });
  }

  private static ServicePort port(ResultSet row) throws SQLException {
    return new ServicePort(
        row.getObject("id", UUID.class).toString(),
        row.getObject("cluster_id", UUID.class).toString(),
        row.getString("protocol"),
        row.getInt("port"),
        row.getString("service"),
        row.getString("namespace"),
        row.getInt("target_port"),
        Columns.time(row, "created_at"));
  }

  /** Deletes a port; false if the cluster has no such port. */
  boolean delete(UUID cluster, UUID id) {
    return database.transaction(
            connection -> {
              try (PreparedStatement delete =
                  connection.prepareStatement(
                      "DELETE FROM service_port WHERE id = ? AND cluster_id = ?")) {
                delete.setObject(1, id);
                delete.setObject(2, cluster);
                return delete.executeUpdate();
              }
            })
        > 0;
  }
}
