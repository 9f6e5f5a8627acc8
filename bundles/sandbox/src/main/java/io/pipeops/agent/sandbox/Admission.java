package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.InstantSource;
import java.util.List;
import java.util.UUID;

/** What happens to an object between the request and the store: checks, defaults, bookkeeping. */
final class Admission {
  private static final ObjectNode NOTHING = Json.object();

  /** Metadata that the server alone decides on. */
  private static final List<String> OWN_METADATA =
      List.of(
          "name",
          "namespace",
          "uid",
          "creationTimestamp",
          "generation",
          "deletionTimestamp",
          "deletionGracePeriodSeconds",
          "generateName");

  private final ObjectStore store;
  private final ResourceCatalog catalog;
  private final InstantSource clock;

  Admission(ObjectStore store, ResourceCatalog catalog, InstantSource clock) {
    this.store = store;
    this.catalog = catalog;
    this.clock = clock;
  }

  /** Makes a request's object ready to be stored. Changes it. */
  void create(ResourceType type, String namespace, ObjectNode object) {
    identify(type, object);
    ObjectNode meta = Json.meta(object);
    place(type, namespace, meta);
    if (Json.text(meta, "name").isEmpty()) {
      String prefix = Json.text(meta, "generateName");
      if (prefix.isEmpty()) {
        throw ApiException.invalid(
            type,
            "",
            List.of(
                new ApiException.Cause(
                    "FieldValueRequired",
                    "Required value: name or generateName is required",
                    "metadata.name")));
      }
      meta.put("name", Names.generate(prefix));
    }
    if (!Json.text(meta, "resourceVersion").isEmpty()) {
      throw ApiException.badRequest("an object that is created must not have a resourceVersion");
    }
    meta.remove(
        List.of(
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "managedFields"));
    meta.put("uid", UUID.randomUUID().toString());
    meta.put("creationTimestamp", Json.time(clock.instant()));
    if (type.has("status")) {
      if (object.has("spec")) {
        meta.put("generation", 1);
      }
      if (!type.qualified().equals("nodes")) {
        object.remove("status");
      }
    }
    Defaults.apply(type, object);
    initialStatus(type, object);
    Validation.check(type, object);
  }

  private void place(ResourceType type, String namespace, ObjectNode meta) {
    if (!type.namespaced()) {
      meta.remove("namespace");
      return;
    }
    String said = Json.text(meta, "namespace");
    if (!said.isEmpty() && !said.equals(namespace)) {
      throw ApiException.badRequest(
          "the object is of namespace %s and the path of namespace %s".formatted(said, namespace));
    }
    meta.put("namespace", namespace);
    ResourceType namespaces = catalog.get("namespaces");
    ObjectNode home =
        store
            .get(namespaces, "", namespace)
            .orElseThrow(() -> ApiException.notFound(namespaces, namespace));
    if (Json.deleting(home)) {
      throw ApiException.forbidden(
          type,
          Json.text(meta, "name"),
          "namespace %s is being terminated and takes nothing new".formatted(namespace));
    }
  }

  private static void initialStatus(ResourceType type, ObjectNode object) {
    switch (type.qualified()) {
      case "pods" ->
          Json.child(object, "status")
              .put("phase", "Pending")
              .put("qosClass", Quantities.qosClass(object.path("spec")));
      case "namespaces" -> Json.child(object, "status").put("phase", "Active");
      case "services", "ingresses.networking.k8s.io" ->
          Json.child(Json.child(object, "status"), "loadBalancer");
      default -> {}
    }
  }

  /** Sets or checks what the object says it is. */
  private static void identify(ResourceType type, ObjectNode object) {
    String version = Json.text(object, "apiVersion");
    String kind = Json.text(object, "kind");
    if (!version.isEmpty() && !version.equals(type.apiVersion())) {
      throw ApiException.badRequest(
          "the object's apiVersion is %s, the path's is %s".formatted(version, type.apiVersion()));
    }
    if (!kind.isEmpty() && !kind.equals(type.kind())) {
      throw ApiException.badRequest(
          "the object's kind is %s, the path's is %s".formatted(kind, type.kind()));
    }
    object.put("apiVersion", type.apiVersion()).put("kind", type.kind());
  }

  /**
   * Makes the new state of an object ready to be stored. Changes it.
   *
   * @param subresource {@code status} to change nothing but the status; else the status stays
   */
  ObjectNode update(ResourceType type, ObjectNode before, ObjectNode after, String subresource) {
    identify(type, after);
    String name = Json.name(before);
    ObjectNode meta = Json.meta(after);
    if (!Json.text(meta, "name").equals(name) && meta.hasNonNull("name")) {
      throw ApiException.badRequest(
          "the object's name is %s, the path's is %s".formatted(Json.text(meta, "name"), name));
    }
    String uid = Json.text(meta, "uid");
    if (!uid.isEmpty() && !uid.equals(Json.uid(before))) {
      throw ApiException.conflict(
          type, name, "its uid is %s, not %s".formatted(Json.uid(before), uid));
    }
    String version = Json.text(meta, "resourceVersion");
    if (!version.isEmpty() && !version.equals(Json.text(before, "metadata", "resourceVersion"))) {
      throw ApiException.stale(type, name);
    }
    ObjectNode result = after;
    if (subresource.equals("status")) {
      result = before.deepCopy();
      result.set("status", after.path("status").isObject() ? after.get("status") : NOTHING);
      Json.meta(result).set("managedFields", meta.path("managedFields"));
    } else if (type.has("status")) {
      keep(before, result, "status");
    }
    ObjectNode resultMeta = Json.meta(result);
    for (String field : OWN_METADATA) {
      keep((ObjectNode) before.get("metadata"), resultMeta, field);
    }
    keep((ObjectNode) before.get("metadata"), resultMeta, "resourceVersion");
    resultMeta.remove("selfLink");
    // Who does not speak of the owners leaves them as they are; an empty list forgets them.
    if (!resultMeta.path("managedFields").isArray()) {
      keep((ObjectNode) before.get("metadata"), resultMeta, "managedFields");
    }
    if (!subresource.equals("status")) {
      Defaults.apply(type, result);
      if (type.qualified().equals("services")) {
        keepAddress(before, result);
      }
      Validation.check(type, result);
      Validation.checkChange(type, before, result);
    }
    if (resultMeta.has("generation") && !result.path("spec").equals(before.path("spec"))) {
      resultMeta.put("generation", resultMeta.path("generation").asInt() + 1);
    }
    return result;
  }

  /** Someone who replaces a Service without naming its address means the one it has. */
  private static void keepAddress(ObjectNode before, ObjectNode after) {
    if (!after.path("spec").equals(before.path("spec"))
        && Json.text(after, "spec", "type").equals(Json.text(before, "spec", "type"))) {
      ObjectNode spec = Json.child(after, "spec");
      keep((ObjectNode) before.get("spec"), spec, "clusterIP");
      keep((ObjectNode) before.get("spec"), spec, "clusterIPs");
    }
  }

  private static void keep(ObjectNode from, ObjectNode to, String field) {
    JsonNode value = from.get(field);
    if (value == null) {
      to.remove(field);
    } else {
      to.set(field, value);
    }
  }
}
