package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;

/** The documents in which the API says what it serves. */
final class Discovery {
  /** The version of Kubernetes whose API this follows. */
  static final String VERSION = "v1.34.0+sandbox";

  /** Changes whenever a description of the API would. */
  static final String HASH = "1";

  /** Subresources with a kind of their own: group, version, kind. */
  private static final Map<String, List<String>> SUBRESOURCE_KINDS =
      Map.of(
          "scale", List.of("autoscaling", "v1", "Scale"),
          "eviction", List.of("policy", "v1", "Eviction"),
          "token", List.of("authentication.k8s.io", "v1", "TokenRequest"));

  private static final Map<String, List<String>> SUBRESOURCE_VERBS =
      Map.of(
          "status", List.of("get", "patch", "update"),
          "scale", List.of("get", "patch", "update"),
          "ephemeralcontainers", List.of("get", "patch", "update"),
          "log", List.of("get"),
          "finalize", List.of("update"),
          "eviction", List.of("create"),
          "token", List.of("create"),
          "exec", List.of("create", "get"),
          "attach", List.of("create", "get"),
          "portforward", List.of("create", "get"));

  private final ResourceCatalog catalog;

  Discovery(ResourceCatalog catalog) {
    this.catalog = catalog;
  }

  static ObjectNode version() {
    return Json.object()
        .put("major", "1")
        .put("minor", "34")
        .put("gitVersion", VERSION)
        .put("gitCommit", "")
        .put("gitTreeState", "clean")
        .put("buildDate", "2026-01-01T00:00:00Z")
        .put("goVersion", "none")
        .put("compiler", "javac")
        .put("platform", "java/any");
  }

  ObjectNode coreVersions(String address) {
    ObjectNode versions = Json.object().put("kind", "APIVersions");
    versions.putArray("versions").add("v1");
    versions
        .putArray("serverAddressByClientCIDRs")
        .addObject()
        .put("clientCIDR", "0.0.0.0/0")
        .put("serverAddress", address);
    return versions;
  }

  ObjectNode groups() {
    ObjectNode list = Json.object().put("kind", "APIGroupList").put("apiVersion", "v1");
    ArrayNode groups = list.putArray("groups");
    catalog.groups().forEach((name, version) -> groups.add(describe(name, version)));
    return list;
  }

  ObjectNode group(String name) {
    String version = catalog.groups().get(name);
    if (version == null) {
      throw ApiException.noSuchPath();
    }
    ObjectNode group = Json.object().put("kind", "APIGroup").put("apiVersion", "v1");
    group.setAll(describe(name, version));
    return group;
  }

  private static ObjectNode describe(String name, String version) {
    ObjectNode group = Json.object().put("name", name);
    ObjectNode only = Json.object();
    only.put("groupVersion", name + "/" + version).put("version", version);
    group.putArray("versions").add(only);
    group.set("preferredVersion", only);
    return group;
  }

  ObjectNode resources(String group, String version) {
    List<ResourceType> types = catalog.types(group, version);
    if (types.isEmpty()) {
      throw ApiException.noSuchPath();
    }
    ObjectNode list = Json.object().put("kind", "APIResourceList").put("apiVersion", "v1");
    list.put("groupVersion", types.getFirst().apiVersion());
    ArrayNode resources = list.putArray("resources");
    for (ResourceType type : types) {
      ObjectNode resource = resources.addObject();
      resource.put("name", type.plural()).put("singularName", type.singular());
      resource.put("namespaced", type.namespaced()).put("kind", type.kind());
      resource.set("verbs", Json.array(type.verbs()));
      if (!type.shortNames().isEmpty()) {
        resource.set("shortNames", Json.array(type.shortNames()));
      }
      if (!type.categories().isEmpty()) {
        resource.set("categories", Json.array(type.categories()));
      }
      for (String name : type.subresources().stream().sorted().toList()) {
        ObjectNode sub = resources.addObject();
        sub.put("name", type.plural() + "/" + name).put("singularName", "");
        sub.put("namespaced", type.namespaced());
        List<String> kind = SUBRESOURCE_KINDS.get(name);
        if (kind != null) {
          sub.put("group", kind.get(0)).put("version", kind.get(1));
        }
        sub.put("kind", kind == null ? type.kind() : kind.get(2));
        sub.set("verbs", Json.array(verbs(name)));
      }
    }
    return list;
  }

  private static List<String> verbs(String subresource) {
    return SUBRESOURCE_VERBS.getOrDefault(
        subresource, List.of("create", "delete", "get", "patch", "update"));
  }

  /** All of it in one document, so that a client needs two requests instead of a dozen. */
  ObjectNode aggregated(boolean core, String version) {
    ObjectNode list = Json.object();
    list.put("kind", "APIGroupDiscoveryList");
    list.put("apiVersion", "apidiscovery.k8s.io/" + version).putObject("metadata");
    ArrayNode items = list.putArray("items");
    if (core) {
      items.add(aggregated("", "v1"));
    } else {
      catalog.groups().forEach((name, its) -> items.add(aggregated(name, its)));
    }
    return list;
  }

  private ObjectNode aggregated(String group, String version) {
    ObjectNode item = Json.object();
    item.putObject("metadata").put("name", group);
    ObjectNode only = item.putArray("versions").addObject();
    only.put("version", version).put("freshness", "Current");
    ArrayNode resources = only.putArray("resources");
    for (ResourceType type : catalog.types(group, version)) {
      ObjectNode resource = resources.addObject();
      resource.put("resource", type.plural());
      kind(resource, type.group(), type.version(), type.kind());
      resource.put("scope", type.namespaced() ? "Namespaced" : "Cluster");
      resource.put("singularResource", type.singular());
      resource.set("verbs", Json.array(type.verbs()));
      if (!type.shortNames().isEmpty()) {
        resource.set("shortNames", Json.array(type.shortNames()));
      }
      if (!type.categories().isEmpty()) {
        resource.set("categories", Json.array(type.categories()));
      }
      for (String name : type.subresources().stream().sorted().toList()) {
        ObjectNode sub = Json.list(resource, "subresources").addObject();
        sub.put("subresource", name);
        List<String> kind =
            SUBRESOURCE_KINDS.getOrDefault(
                name, List.of(type.group(), type.version(), type.kind()));
        kind(sub, kind.get(0), kind.get(1), kind.get(2));
        sub.set("verbs", Json.array(verbs(name)));
      }
    }
    return item;
  }

  private static void kind(ObjectNode node, String group, String version, String kind) {
    node.putObject("responseKind").put("group", group).put("version", version).put("kind", kind);
  }
}
