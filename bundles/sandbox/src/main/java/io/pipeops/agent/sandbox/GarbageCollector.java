package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Deletes what has lost all its owners, and owners that wait for their dependents to go first. */
final class GarbageCollector implements Controller {
  private static final String FOREGROUND = "foregroundDeletion";

  private final Resources resources;

  GarbageCollector(Resources resources) {
    this.resources = resources;
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    Set<String> present = new HashSet<>();
    each((type, object) -> present.add(Json.uid(object)));
    each(
        (type, object) -> {
          JsonNode owners = Json.at(object, "metadata", "ownerReferences");
          if (!owners.isEmpty() && !Json.deleting(object) && orphaned(owners, present)) {
            delete(type, object);
          }
          if (Json.deleting(object) && waitsForDependents(object)) {
            foreground(type, object);
          }
        });
    return Optional.empty();
  }

  private interface Visitor {
    void visit(ResourceType type, ObjectNode object);
  }

  private void each(Visitor visitor) {
    for (ResourceType type : resources.catalog().types()) {
      if (type.stored()) {
        resources.store().items(type, "").forEach(object -> visitor.visit(type, object));
      }
    }
  }

  private static boolean orphaned(JsonNode owners, Set<String> present) {
    for (JsonNode owner : owners) {
      if (present.contains(Json.text(owner, "uid"))) {
        return false;
      }
    }
    return true;
  }

  private static boolean waitsForDependents(ObjectNode object) {
    for (JsonNode finalizer : Json.at(object, "metadata", "finalizers")) {
      if (finalizer.asText().equals(FOREGROUND)) {
        return true;
      }
    }
    return false;
  }

  private void foreground(ResourceType type, ObjectNode owner) {
    List<ObjectNode> dependents = resources.dependents(Json.uid(owner), Json.namespace(owner));
    for (ObjectNode dependent : dependents) {
      if (!Json.deleting(dependent)) {
        resources.delete(
            resources.typeOf(dependent),
            Json.namespace(dependent),
            Json.name(dependent),
            Json.object().put("propagationPolicy", "Foreground"),
            false);
      }
    }
    if (dependents.isEmpty()) {
      resources.change(
          type,
          Json.namespace(owner),
          Json.name(owner),
          new Resources.Write("sandbox-controllers", "", false),
          object -> {
            ArrayNode finalizers = Json.list(Json.meta(object), "finalizers");
            for (int i = finalizers.size() - 1; i >= 0; i--) {
              if (finalizers.get(i).asText().equals(FOREGROUND)) {
                finalizers.remove(i);
              }
            }
            return object;
          });
    }
  }

  private void delete(ResourceType type, ObjectNode object) {
    resources.delete(type, Json.namespace(object), Json.name(object), Json.object(), false);
  }
}
