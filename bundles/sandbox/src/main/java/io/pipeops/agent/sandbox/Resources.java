package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/** What the writing verbs mean: admission, ownership of fields, deletion, then the store. */
final class Resources {
  /**
   * How a write was asked for.
   *
   * @param manager who owns the fields that are set
   * @param subresource {@code status}, or empty
   * @param dryRun answer as if, and keep nothing
   */
  record Write(String manager, String subresource, boolean dryRun) {}

  private static final Set<String> LASTING =
      Set.of("default", "kube-system", "kube-public", "kube-node-lease");

  private final ObjectStore store;
  private final ResourceCatalog catalog;
  private final Admission admission;
  private final InstantSource clock;

  Resources(ObjectStore store, ResourceCatalog catalog, InstantSource clock) {
    this.store = store;
    this.catalog = catalog;
    this.clock = clock;
    this.admission = new Admission(store, catalog, clock);
  }

  ObjectStore store() {
    return store;
  }

  ResourceCatalog catalog() {
    return catalog;
  }

  Instant now() {
    return clock.instant();
  }

  private ManagedFields.Manager manager(ResourceType type, Write how, String operation) {
    return new ManagedFields.Manager(
        how.manager(), operation, type.apiVersion(), how.subresource());
  }

  ObjectNode create(ResourceType type, String namespace, ObjectNode object, Write how) {
    admission.create(type, namespace, object);
    ObjectNode owned = withoutStatus(type, object);
    ManagedFields.changed(null, owned, manager(type, how, "Update"), Json.time(now()));
    adopt(owned, object);
    if (how.dryRun()) {
      if (store.get(type, Json.namespace(object), Json.name(object)).isPresent()) {
        throw ApiException.alreadyExists(type, Json.name(object));
      }
      return object;
    }
    return store.create(type, object);
  }

  /** The status of a new object is the server's; nobody owns it. */
  private static ObjectNode withoutStatus(ResourceType type, ObjectNode object) {
    ObjectNode copy = object.deepCopy();
    if (type.has("status")) {
      copy.remove("status");
    }
    return copy;
  }

  private static void adopt(ObjectNode from, ObjectNode to) {
    JsonNode managed = Json.at(from, "metadata", "managedFields");
    if (managed.isArray()) {
      Json.meta(to).set("managedFields", managed);
    }
  }

  ObjectNode update(
      ResourceType type, String namespace, String name, ObjectNode object, Write how) {
    return change(type, namespace, name, how, before -> object.deepCopy());
  }

  /** Changes what is there by a function of its present state. */
  ObjectNode change(
      ResourceType type,
      String namespace,
      String name,
      Write how,
      UnaryOperator<ObjectNode> change) {
    return write(
        type,
        namespace,
        name,
        how.dryRun(),
        before -> {
          ObjectNode wanted = change.apply(before.deepCopy());
          ObjectNode after = admission.update(type, before, wanted, how.subresource());
          ManagedFields.changed(before, after, manager(type, how, "Update"), Json.time(now()));
          return after;
        });
  }

  /** Server side apply: makes the object, or merges into it. */
  ObjectNode apply(
      ResourceType type,
      String namespace,
      String name,
      ObjectNode applied,
      boolean force,
      Write how) {
    ManagedFields.Manager manager = manager(type, how, "Apply");
    String said = Json.name(applied);
    if (!said.isEmpty() && !said.equals(name)) {
      throw ApiException.badRequest(
          "the object's name is %s, the path's is %s".formatted(said, name));
    }
    if (store.get(type, namespace, name).isEmpty()) {
      ObjectNode object = Json.object();
      Json.meta(object).put("name", name);
      ManagedFields.apply(object, applied, manager, force, Json.time(now()));
      JsonNode managed = Json.at(object, "metadata", "managedFields");
      Json.meta(object).put("name", name).remove("resourceVersion");
      object.put("apiVersion", Json.text(applied, "apiVersion"));
      object.put("kind", Json.text(applied, "kind"));
      admission.create(type, namespace, object);
      Json.meta(object).set("managedFields", managed);
      return how.dryRun() ? object : store.create(type, object);
    }
    return write(
        type,
        namespace,
        name,
        how.dryRun(),
        before -> {
          ObjectNode live = before.deepCopy();
          ManagedFields.apply(live, applied, manager, force, Json.time(now()));
          return admission.update(type, before, live, how.subresource());
        });
  }

  private ObjectNode write(
      ResourceType type,
      String namespace,
      String name,
      boolean dryRun,
      UnaryOperator<ObjectNode> change) {
    if (dryRun) {
      ObjectNode before =
          store.get(type, namespace, name).orElseThrow(() -> ApiException.notFound(type, name));
      return change.apply(before.deepCopy());
    }
    ObjectNode after = store.update(type, namespace, name, change);
    finishDeletion(type, after);
    return after;
  }

  /** An object that waited for its last finalizer goes when that is gone. */
  private void finishDeletion(ResourceType type, ObjectNode object) {
    boolean waits =
        !Json.at(object, "metadata", "finalizers").isEmpty()
            || type.qualified().equals("namespaces")
            || type.qualified().equals("pods");
    if (Json.deleting(object) && !waits) {
      store.remove(type, Json.namespace(object), Json.name(object));
    }
  }

  /**
   * Deletes an object, or begins to.
   *
   * @return the object as it is now, with a deletion time if it is not gone yet
   */
  ObjectNode delete(
      ResourceType type, String namespace, String name, JsonNode options, boolean dryRun) {
    return store.atomically(() -> begin(type, namespace, name, options, dryRun));
  }

  private ObjectNode begin(
      ResourceType type, String namespace, String name, JsonNode options, boolean dryRun) {
    ObjectNode object =
        store.get(type, namespace, name).orElseThrow(() -> ApiException.notFound(type, name));
    preconditions(type, object, options);
    if (type.qualified().equals("namespaces") && LASTING.contains(name)) {
      throw ApiException.forbidden(type, name, "this namespace may not be deleted");
    }
    if (dryRun) {
      return object;
    }
    String propagation = Json.text(options, "propagationPolicy");
    if (propagation.equals("Orphan") || options.path("orphanDependents").asBoolean()) {
      orphan(Json.uid(object), namespace);
    }
    boolean pod = type.qualified().equals("pods");
    int grace =
        Json.number(
            options,
            Json.number(object, 30, "spec", "terminationGracePeriodSeconds"),
            "gracePeriodSeconds");
    boolean foreground = propagation.equals("Foreground");
    boolean waits =
        type.qualified().equals("namespaces")
            || foreground
            || (pod && grace > 0 && !Json.text(object, "spec", "nodeName").isEmpty())
            || !Json.at(object, "metadata", "finalizers").isEmpty();
    if (!waits) {
      return store.remove(type, namespace, name);
    }
    return store.update(
        type,
        namespace,
        name,
        present -> {
          ObjectNode meta = Json.meta(present);
          if (!meta.has("deletionTimestamp")) {
            meta.put("deletionTimestamp", Json.time(now().plusSeconds(pod ? grace : 0)));
            if (meta.has("generation")) {
              meta.put("generation", meta.path("generation").asInt() + 1);
            }
          }
          meta.put("deletionGracePeriodSeconds", pod ? grace : 0);
          if (foreground && !contains(meta.path("finalizers"), "foregroundDeletion")) {
            Json.list(meta, "finalizers").add("foregroundDeletion");
          }
          if (type.qualified().equals("namespaces")) {
            Json.child(present, "status").put("phase", "Terminating");
          }
          return present;
        });
  }

  private static void preconditions(ResourceType type, ObjectNode object, JsonNode options) {
    String uid = Json.text(options, "preconditions", "uid");
    String version = Json.text(options, "preconditions", "resourceVersion");
    if ((!uid.isEmpty() && !uid.equals(Json.uid(object)))
        || (!version.isEmpty() && !version.equals(Long.toString(Json.version(object))))) {
      throw ApiException.conflict(type, Json.name(object), "the precondition is not met");
    }
  }

  private static boolean contains(JsonNode list, String text) {
    for (JsonNode item : list) {
      if (item.asText().equals(text)) {
        return true;
      }
    }
    return false;
  }

  /** Cuts the ties to an owner, so that its dependents outlive it. */
  private void orphan(String uid, String namespace) {
    for (ObjectNode dependent : dependents(uid, namespace)) {
      ResourceType type = typeOf(dependent);
      store.update(
          type,
          Json.namespace(dependent),
          Json.name(dependent),
          object -> {
            ArrayNode owners = Json.list(Json.meta(object), "ownerReferences");
            for (int i = owners.size() - 1; i >= 0; i--) {
              if (Json.text(owners.get(i), "uid").equals(uid)) {
                owners.remove(i);
              }
            }
            if (owners.isEmpty()) {
              Json.meta(object).remove("ownerReferences");
            }
            return object;
          });
    }
  }

  ResourceType typeOf(JsonNode object) {
    return catalog.ofKind(Json.text(object, "apiVersion"), Json.text(object, "kind")).orElseThrow();
  }

  /** All objects that name this owner; looked for everywhere if the namespace is empty. */
  List<ObjectNode> dependents(String uid, String namespace) {
    List<ObjectNode> found = new ArrayList<>();
    for (ResourceType type : catalog.types()) {
      if (type.stored()) {
        for (ObjectNode object : store.items(type, namespace)) {
          for (JsonNode owner : Json.at(object, "metadata", "ownerReferences")) {
            if (Json.text(owner, "uid").equals(uid)) {
              found.add(object);
            }
          }
        }
      }
    }
    return found;
  }
}
