package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Who last set which field ({@code metadata.managedFields}), and the server side apply that rests
 * on it: conflicts with others' fields, and fields that go because the applier no longer names
 * them.
 */
final class ManagedFields {
  /** Who changes an object, in the words of {@code managedFields}. */
  record Manager(String name, String operation, String apiVersion, String subresource) {
    boolean applies() {
      return operation.equals("Apply");
    }
  }

  private final Map<Manager, Set<List<String>>> owned = new LinkedHashMap<>();
  private final Map<Manager, String> times = new LinkedHashMap<>();

  private ManagedFields(JsonNode object) {
    for (JsonNode entry : Json.at(object, "metadata", "managedFields")) {
      Manager manager =
          new Manager(
              Json.text(entry, "manager"),
              Json.text(entry, "operation"),
              Json.text(entry, "apiVersion"),
              Json.text(entry, "subresource"));
      if (!manager.operation().isEmpty()) {
        owned.put(manager, FieldPaths.decode(entry.path("fieldsV1")));
        times.put(manager, Json.text(entry, "time"));
      }
    }
  }

  /** Notes in {@code after} what the manager changed since {@code before}, which may be null. */
  static void changed(ObjectNode before, ObjectNode after, Manager manager, String time) {
    Map<List<String>, JsonNode> was = before == null ? Map.of() : FieldPaths.leaves(before);
    Map<List<String>, JsonNode> is = FieldPaths.leaves(after);
    Set<List<String>> set = new HashSet<>();
    is.forEach(
        (path, value) -> {
          if (!value.equals(was.get(path))) {
            set.add(path);
          }
        });
    Set<List<String>> gone = new HashSet<>(was.keySet());
    gone.removeAll(is.keySet());
    ManagedFields fields = new ManagedFields(after);
    for (Set<List<String>> paths : fields.owned.values()) {
      paths.removeAll(set);
      paths.removeAll(gone);
    }
    if (!set.isEmpty()) {
      fields.owned.computeIfAbsent(manager, absent -> new HashSet<>()).addAll(set);
      fields.times.put(manager, time);
    }
    fields.write(after);
  }

  /**
   * Merges an applied configuration into what is there.
   *
   * @param live the present object; it is changed and returned
   * @param applied what the manager wants to be so
   * @param force take over fields of others instead of failing
   * @throws ApiException 409 that names the fields and their owners
   */
  static ObjectNode apply(
      ObjectNode live, ObjectNode applied, Manager manager, boolean force, String time) {
    Map<List<String>, JsonNode> wanted = FieldPaths.leaves(applied);
    Map<List<String>, JsonNode> present = FieldPaths.leaves(live);
    ManagedFields fields = new ManagedFields(live);
    List<ApiException.Cause> conflicts = new ArrayList<>();
    fields.owned.forEach(
        (other, paths) -> {
          if (!other.equals(manager)) {
            Set<List<String>> contested = fields.contested(paths, wanted, present);
            contested.forEach(path -> conflicts.add(conflict(other, path)));
            paths.removeAll(contested);
          }
        });
    if (!conflicts.isEmpty() && !force) {
      throw ApiException.ownedByOthers(
          conflicts.size() == 1
              ? "Apply failed with 1 conflict: " + conflicts.getFirst().message()
              : "Apply failed with %d conflicts: %s"
                  .formatted(conflicts.size(), conflicts.stream().map(c -> c.message()).toList()),
          conflicts);
    }
    Set<List<String>> former = fields.owned.getOrDefault(manager, Set.of());
    fields.owned.put(manager, new HashSet<>(wanted.keySet()));
    merge(live, applied, "");
    former.stream()
        .filter(path -> fields.owned.values().stream().noneMatch(set -> holds(set, path)))
        // An item goes as a whole, while it still has what tells it apart.
        .sorted((a, b) -> Integer.compare(a.size(), b.size()))
        .forEach(path -> FieldPaths.remove(live, path));
    fields.times.merge(manager, time, (was, is) -> former.equals(wanted.keySet()) ? was : is);
    fields.write(live);
    return live;
  }

  private Set<List<String>> contested(
      Set<List<String>> theirs,
      Map<List<String>, JsonNode> wanted,
      Map<List<String>, JsonNode> present) {
    Set<List<String>> contested = new HashSet<>();
    for (List<String> path : theirs) {
      JsonNode mine = wanted.get(path);
      if (mine != null && !mine.equals(present.get(path)) && !mine.isMissingNode()) {
        contested.add(path);
      }
    }
    return contested;
  }

  private static ApiException.Cause conflict(Manager owner, List<String> path) {
    String field = FieldPaths.readable(path);
    return new ApiException.Cause(
        "FieldManagerConflict",
        "conflict with \"%s\"%s: %s"
            .formatted(owner.name(), owner.applies() ? "" : " using " + owner.apiVersion(), field),
        field);
  }

  /** Whether the place itself or anything below it is owned. */
  private static boolean holds(Set<List<String>> paths, List<String> path) {
    return paths.stream()
        .anyMatch(
            owned -> owned.size() >= path.size() && owned.subList(0, path.size()).equals(path));
  }

  private static void merge(ObjectNode target, ObjectNode applied, String name) {
    for (Map.Entry<String, JsonNode> entry : applied.properties()) {
      String field = entry.getKey();
      JsonNode value = entry.getValue();
      JsonNode present = target.get(field);
      if (value instanceof ObjectNode object
          && present instanceof ObjectNode into
          && !MergeKeys.atomicMap(name, field)) {
        merge(into, object, field);
      } else if (value instanceof ArrayNode list
          && present instanceof ArrayNode into
          && FieldPaths.keyed(name, field, list)) {
        mergeKeyed(into, list, MergeKeys.keys(name, field), field);
      } else if (value instanceof ArrayNode list
          && present instanceof ArrayNode into
          && MergeKeys.set(name, field)) {
        list.forEach(
            item -> {
              if (!has(into, item)) {
                into.add(item);
              }
            });
      } else if (!value.isNull()) {
        target.set(field, value.deepCopy());
      }
    }
  }

  private static boolean has(ArrayNode list, JsonNode value) {
    for (JsonNode item : list) {
      if (item.equals(value)) {
        return true;
      }
    }
    return false;
  }

  private static void mergeKeyed(
      ArrayNode target, ArrayNode applied, List<String> keys, String field) {
    for (JsonNode item : applied) {
      ObjectNode found = null;
      for (JsonNode present : target) {
        if (MergeKeys.same(present, item, keys)) {
          found = (ObjectNode) present;
        }
      }
      if (found == null) {
        target.add(item.deepCopy());
      } else {
        merge(found, (ObjectNode) item, field);
      }
    }
  }

  private void write(ObjectNode object) {
    ArrayNode entries = Json.array();
    owned.forEach(
        (manager, paths) -> {
          if (paths.isEmpty()) {
            return;
          }
          ObjectNode entry = entries.addObject();
          entry.put("apiVersion", manager.apiVersion()).put("fieldsType", "FieldsV1");
          entry.set("fieldsV1", FieldPaths.encode(paths));
          entry.put("manager", manager.name()).put("operation", manager.operation());
          if (!manager.subresource().isEmpty()) {
            entry.put("subresource", manager.subresource());
          }
          entry.put("time", times.get(manager));
        });
    ObjectNode meta = Json.meta(object);
    if (entries.isEmpty()) {
      meta.remove("managedFields");
    } else {
      meta.set("managedFields", entries);
    }
  }
}
