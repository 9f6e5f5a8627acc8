package io.pipeops.hub.rest;

import io.pipeops.hub.store.HubEvent;
import java.util.Map;
import java.util.Set;

/**
 * Which events a watcher wants.
 *
 * @param cluster of this cluster only; empty for all
 * @param types of these types only; empty for all
 * @param since those after this number that are kept; negative for none
 */
record EventQuery(String cluster, Set<String> types, long since) {
  private static final String LAST_EVENT_ID = "Last-Event-ID";

  static EventQuery of(Call call) throws Problem {
    Map<String, String> query = call.query(Set.of("cluster", "types", "since"));
    String cluster = query.getOrDefault("cluster", "");
    if (!cluster.isEmpty() && !Page.isId(cluster)) {
      throw Problem.badRequest("cluster is not an id", "Give a cluster's id, or leave it out");
    }
    String types = query.getOrDefault("types", "");
    if (!types.matches("[a-z_,]{0,256}")) {
      throw Problem.badRequest(
          "types is not a list of types", "Give types=connected,heartbeat, or leave it out");
    }
    String last = call.request().getHeaders().get(LAST_EVENT_ID);
    String since = query.getOrDefault("since", last == null ? "" : last);
    if (!since.matches("[0-9]{0,18}")) {
      throw Problem.badRequest(
          "since is not the id of an event", "Give the id of the last event seen, or leave it out");
    }
    return new EventQuery(
        cluster,
        types.isEmpty()
            ? Set.of()
            : Set.copyOf(new java.util.HashSet<>(java.util.List.of(types.split(",")))),
        since.isEmpty() ? -1 : Long.parseLong(since));
  }

  boolean wants(HubEvent event) {
    return (cluster.isEmpty() || cluster.equals(event.clusterId()))
        && (types.isEmpty() || types.contains(event.type()));
  }
}
