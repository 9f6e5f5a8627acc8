package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;

/** What the controllers of workloads have in common: owned objects, new pods, status, events. */
final class Workloads {
  /** No more pods than this are made, however many replicas someone asks for. */
  static final int MAX_PODS = 1000;

  private static final int MAX_EVENTS = 500;

  private final Resources resources;
  private final ResourceType pods;
  private final ResourceType events;

  Workloads(Resources resources) {
    this.resources = resources;
    this.pods = resources.catalog().get("pods");
    this.events = resources.catalog().get("events");
  }

  Instant now() {
    return resources.now();
  }

  ResourceType type(String qualified) {
    return resources.catalog().get(qualified);
  }

  ObjectStore store() {
    return resources.store();
  }

  /** All of a type that are not being deleted. */
  List<ObjectNode> living(String qualified) {
    return store().items(type(qualified), "").stream().filter(o -> !Json.deleting(o)).toList();
  }

  /** Objects in the owner's namespace of which it is the controller. */
  List<ObjectNode> owned(String qualified, ObjectNode owner) {
    return store().items(type(qualified), Json.namespace(owner)).stream()
        .filter(object -> controls(owner, object))
        .toList();
  }

  /** The owner's pods that are neither finished nor going. */
  List<ObjectNode> activePods(ObjectNode owner) {
    return owned("pods", owner).stream()
        .filter(pod -> !Json.deleting(pod) && !PodView.finished(pod))
        .toList();
  }

  /** Takes over what the owner's selector selects and nobody controls. */
  void adopt(String qualified, ObjectNode owner) {
    var selected = Selectors.object(Json.at(owner, "spec", "selector"));
    for (ObjectNode object : store().items(type(qualified), Json.namespace(owner))) {
      boolean free = !Json.deleting(object) && !controlled(object) && selected.test(object);
      if (free) {
        store()
            .update(
                type(qualified),
                Json.namespace(object),
                Json.name(object),
                orphan -> {
                  if (present(owner)) {
                    Json.list(Json.meta(orphan), "ownerReferences").addAll(ownedBy(owner));
                  }
                  return orphan;
                });
      }
    }
  }

  /** Whether an object that was seen before is still there and not going. */
  private boolean present(ObjectNode object) {
    return store()
        .get(resources.typeOf(object), Json.namespace(object), Json.name(object))
        .filter(now -> Json.uid(now).equals(Json.uid(object)) && !Json.deleting(now))
        .isPresent();
  }

  private static boolean controlled(ObjectNode object) {
    for (JsonNode reference : Json.at(object, "metadata", "ownerReferences")) {
      if (reference.path("controller").asBoolean()) {
        return true;
      }
    }
    return false;
  }

  private static boolean controls(ObjectNode owner, ObjectNode object) {
    for (JsonNode reference : Json.at(object, "metadata", "ownerReferences")) {
      if (reference.path("controller").asBoolean()
          && Json.text(reference, "uid").equals(Json.uid(owner))) {
        return true;
      }
    }
    return false;
  }

  static ArrayNode ownedBy(ObjectNode owner) {
    ArrayNode owners = Json.array();
    owners
        .addObject()
        .put("apiVersion", Json.text(owner, "apiVersion"))
        .put("kind", Json.text(owner, "kind"))
        .put("name", Json.name(owner))
        .put("uid", Json.uid(owner))
        .put("controller", true)
        .put("blockOwnerDeletion", true);
    return owners;
  }

  /**
   * Makes a pod from the owner's template.
   *
   * @param name the pod's name; ends with a dash if the rest is to be made up
   * @param change last touches
   */
  void createPod(ObjectNode owner, String name, Consumer<ObjectNode> change) {
    if (store().items(pods, "").size() >= MAX_PODS) {
      event(owner, "Warning", "FailedCreate", "the sandbox has %d pods".formatted(MAX_PODS));
      throw ApiException.full("the sandbox has %d pods".formatted(MAX_PODS));
    }
    JsonNode template = Json.at(owner, "spec", "template");
    ObjectNode pod = Json.object();
    ObjectNode meta = Json.meta(pod);
    for (String field : List.of("labels", "annotations")) {
      if (Json.at(template, "metadata").has(field)) {
        meta.set(field, Json.at(template, "metadata", field).deepCopy());
      }
    }
    meta.put(name.endsWith("-") ? "generateName" : "name", name);
    meta.set("ownerReferences", ownedBy(owner));
    pod.set("spec", template.path("spec").deepCopy());
    change.accept(pod);
    ObjectNode created = resources.create(pods, Json.namespace(owner), pod, controller());
    event(owner, "Normal", "SuccessfulCreate", "Created pod: " + Json.name(created));
  }

  void deletePod(ObjectNode owner, ObjectNode pod) {
    resources.delete(pods, Json.namespace(pod), Json.name(pod), Json.object(), false);
    event(owner, "Normal", "SuccessfulDelete", "Deleted pod: " + Json.name(pod));
  }

  private static Resources.Write controller() {
    return new Resources.Write("sandbox-controllers", "", false);
  }

  ObjectNode create(ResourceType type, String namespace, ObjectNode object) {
    return resources.create(type, namespace, object, controller());
  }

  void delete(ResourceType type, ObjectNode object) {
    resources.delete(type, Json.namespace(object), Json.name(object), Json.object(), false);
  }

  /** Changes the spec of an object as its controller. */
  void respec(ResourceType type, ObjectNode object, Consumer<ObjectNode> change) {
    resources.change(
        type,
        Json.namespace(object),
        Json.name(object),
        controller(),
        present -> {
          change.accept(present);
          return present;
        });
  }

  /** Sets the status; nothing happens if it is so already. */
  void status(ResourceType type, ObjectNode object, Consumer<ObjectNode> change) {
    store()
        .update(
            type,
            Json.namespace(object),
            Json.name(object),
            present -> {
              change.accept(Json.child(present, "status"));
              return present;
            });
  }

  /** Sets a number, or takes the field away if it is 0, as the API does. */
  static void count(ObjectNode status, String field, int number) {
    if (number == 0) {
      status.remove(field);
    } else {
      status.put(field, number);
    }
  }

  /** Sets a condition; its time changes only with its status. */
  void condition(ObjectNode status, String type, boolean value, String reason, String message) {
    String text = value ? "True" : "False";
    ArrayNode conditions = Json.list(status, "conditions");
    for (JsonNode node : conditions) {
      if (Json.text(node, "type").equals(type)) {
        ObjectNode condition = (ObjectNode) node;
        if (!Json.text(condition, "status").equals(text)) {
          condition.put("lastTransitionTime", Json.time(now()));
        }
        if (!Json.text(condition, "reason").equals(reason) && condition.has("lastUpdateTime")) {
          condition.put("lastUpdateTime", Json.time(now()));
        }
        condition.put("status", text).put("reason", reason).put("message", message);
        return;
      }
    }
    conditions
        .addObject()
        .put("type", type)
        .put("status", text)
        .put("reason", reason)
        .put("message", message)
        .put("lastUpdateTime", Json.time(now()))
        .put("lastTransitionTime", Json.time(now()));
  }

  /** Notes that something happened to an object; the oldest of too many events go. */
  void event(ObjectNode about, String type, String reason, String message) {
    String namespace = Json.namespace(about).isEmpty() ? "default" : Json.namespace(about);
    String time = Json.time(now());
    for (ObjectNode known : store().items(events, namespace)) {
      if (Json.text(known, "involvedObject", "uid").equals(Json.uid(about))
          && Json.text(known, "reason").equals(reason)
          && Json.text(known, "message").equals(message)) {
        store()
            .update(
                events,
                namespace,
                Json.name(known),
                e -> e.put("count", Json.number(e, 1, "count") + 1).put("lastTimestamp", time));
        return;
      }
    }
    trimEvents();
    ObjectNode event = Json.object();
    Json.meta(event).put("name", Names.generate(Json.name(about) + "."));
    event
        .putObject("involvedObject")
        .put("apiVersion", Json.text(about, "apiVersion"))
        .put("kind", Json.text(about, "kind"))
        .put("name", Json.name(about))
        .put("namespace", Json.namespace(about))
        .put("uid", Json.uid(about))
        .put("resourceVersion", Json.text(about, "metadata", "resourceVersion"));
    event.put("type", type).put("reason", reason).put("message", message);
    event.put("firstTimestamp", time).put("lastTimestamp", time).put("count", 1);
    event.putObject("source").put("component", "sandbox");
    event.put("reportingComponent", "sandbox").put("reportingInstance", "");
    resources.create(events, namespace, event, controller());
  }

  private void trimEvents() {
    List<ObjectNode> all = store().items(events, "");
    all.stream()
        .sorted(java.util.Comparator.comparingLong(Json::version))
        .limit(Math.max(0, all.size() - MAX_EVENTS))
        .forEach(old -> store().remove(events, Json.namespace(old), Json.name(old)));
  }
}
