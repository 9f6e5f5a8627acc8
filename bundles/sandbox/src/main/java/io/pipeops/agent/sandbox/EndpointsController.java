package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Lists the ready pods of each Service, as Endpoints and as an EndpointSlice. */
final class EndpointsController implements Controller {
  private static final Resources.Write AS = new Resources.Write("sandbox-controllers", "", false);

  private final Resources resources;
  private final ResourceType endpoints;
  private final ResourceType slices;
  private final ResourceType services;
  private final ResourceType pods;

  EndpointsController(Resources resources) {
    this.resources = resources;
    this.endpoints = resources.catalog().get("endpoints");
    this.slices = resources.catalog().get("endpointslices.discovery.k8s.io");
    this.services = resources.catalog().get("services");
    this.pods = resources.catalog().get("pods");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    for (ObjectNode service : resources.store().items(services, "")) {
      JsonNode selector = Json.at(service, "spec", "selector");
      if (!selector.isEmpty() && !Json.deleting(service)) {
        List<ObjectNode> ready =
            resources.store().items(pods, Json.namespace(service)).stream()
                .filter(Selectors.map(selector))
                .filter(PodView::isReady)
                .toList();
        put(endpoints, service, Json.name(service), "subsets", subsets(service, ready));
        slice(service, ready);
      }
    }
    return Optional.empty();
  }

  private ObjectNode skeleton(ObjectNode service, String name) {
    ObjectNode object = Json.object();
    ObjectNode meta = Json.meta(object).put("name", name);
    meta.set("ownerReferences", Workloads.ownedBy(service));
    return object;
  }

  private void put(
      ResourceType type, ObjectNode service, String name, String field, JsonNode value) {
    String namespace = Json.namespace(service);
    if (resources.store().get(type, namespace, name).isEmpty()) {
      ObjectNode object = skeleton(service, name);
      object.set(field, value);
      resources.create(type, namespace, object, AS);
      return;
    }
    resources
        .store()
        .update(
            type,
            namespace,
            name,
            object -> {
              object.set(field, value);
              return object;
            });
  }

  private void slice(ObjectNode service, List<ObjectNode> ready) {
    String name = Json.name(service) + "-" + Names.hash(Json.uid(service)).substring(0, 5);
    if (resources.store().get(slices, Json.namespace(service), name).isEmpty()) {
      ObjectNode object = skeleton(service, name);
      Json.child(Json.meta(object), "labels").put("kubernetes.io/service-name", Json.name(service));
      object.put("addressType", "IPv4").putArray("endpoints");
      object.set("ports", ports(service, ready));
      resources.create(slices, Json.namespace(service), object, AS);
    }
    ArrayNode list = Json.array();
    for (ObjectNode pod : ready) {
      ObjectNode endpoint = list.addObject();
      endpoint.putArray("addresses").add(Json.text(pod, "status", "podIP"));
      endpoint.putObject("conditions").put("ready", true).put("serving", true);
      endpoint.put("nodeName", Json.text(pod, "spec", "nodeName"));
      endpoint.set("targetRef", reference(pod));
    }
    put(slices, service, name, "endpoints", list);
    put(slices, service, name, "ports", ports(service, ready));
  }

  private static ObjectNode reference(ObjectNode pod) {
    return Json.object()
        .put("kind", "Pod")
        .put("name", Json.name(pod))
        .put("namespace", Json.namespace(pod))
        .put("uid", Json.uid(pod));
  }

  private static ArrayNode subsets(ObjectNode service, List<ObjectNode> ready) {
    ArrayNode subsets = Json.array();
    if (ready.isEmpty()) {
      return subsets;
    }
    ObjectNode subset = subsets.addObject();
    ArrayNode addresses = subset.putArray("addresses");
    for (ObjectNode pod : ready) {
      ObjectNode address = addresses.addObject();
      address.put("ip", Json.text(pod, "status", "podIP"));
      address.put("nodeName", Json.text(pod, "spec", "nodeName"));
      address.set("targetRef", reference(pod));
    }
    subset.set("ports", ports(service, ready));
    return subsets;
  }

  private static ArrayNode ports(ObjectNode service, List<ObjectNode> ready) {
    ArrayNode ports = Json.array();
    for (JsonNode port : Json.at(service, "spec", "ports")) {
      ObjectNode entry = ports.addObject();
      if (port.has("name")) {
        entry.put("name", Json.text(port, "name"));
      }
      entry.put("port", number(port, ready)).put("protocol", Json.text(port, "protocol"));
    }
    return ports;
  }

  /** The number behind a target port, which may be the name of a container's port. */
  private static int number(JsonNode port, List<ObjectNode> ready) {
    JsonNode target = port.path("targetPort");
    if (target.isInt()) {
      return target.asInt();
    }
    for (ObjectNode pod : ready) {
      for (JsonNode container : Json.at(pod, "spec", "containers")) {
        for (JsonNode known : container.path("ports")) {
          if (Json.text(known, "name").equals(target.asText())) {
            return known.path("containerPort").asInt();
          }
        }
      }
    }
    return port.path("port").asInt();
  }
}
