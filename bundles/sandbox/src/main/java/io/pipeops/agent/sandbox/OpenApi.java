package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The description of the API in OpenAPI v3, one document for each group and version: the fields of
 * its kinds, and which operations take which parameters. Made anew for each request; clients ask
 * seldom.
 */
final class OpenApi {
  private static final String PACKAGE = "io.fabric8.kubernetes.api.model.";

  private final ResourceCatalog catalog;
  private final Schemas schemas;
  private final Descriptions descriptions = new Descriptions();

  OpenApi(ResourceCatalog catalog, Schemas schemas) {
    this.catalog = catalog;
    this.schemas = schemas;
  }

  void serve(Exchange exchange) throws IOException {
    List<String> path = exchange.path();
    if (path.size() < 2 || !path.get(1).equals("v3")) {
      throw ApiException.noSuchPath();
    }
    exchange.accept();
    List<String> document = path.subList(2, path.size());
    if (document.isEmpty()) {
      exchange.answer(200, index());
    } else if (document.size() == 2 && document.getFirst().equals("api")) {
      exchange.answer(200, document("", document.get(1)));
    } else if (document.size() == 3 && document.getFirst().equals("apis")) {
      exchange.answer(200, document(document.get(1), document.get(2)));
    } else {
      throw ApiException.noSuchPath();
    }
  }

  private ObjectNode index() {
    ObjectNode index = Json.object();
    ObjectNode paths = index.putObject("paths");
    link(paths, "api/v1");
    catalog.groups().forEach((name, version) -> link(paths, "apis/" + name + "/" + version));
    return index;
  }

  private static void link(ObjectNode paths, String path) {
    paths
        .putObject(path)
        .put("serverRelativeURL", "/openapi/v3/%s?hash=%s".formatted(path, Discovery.HASH));
  }

  private ObjectNode document(String group, String version) {
    List<ResourceType> types = catalog.types(group, version);
    if (types.isEmpty()) {
      throw ApiException.noSuchPath();
    }
    ObjectNode document = Json.object().put("openapi", "3.0.0");
    document
        .putObject("info")
        .put("title", "Embedded Kubernetes API of the sandbox")
        .put("version", Discovery.VERSION);
    ObjectNode paths = document.putObject("paths");
    ObjectNode definitions = document.putObject("components").putObject("schemas");
    for (ResourceType type : types) {
      paths(paths, type);
    }
    definitions(definitions, types);
    return document;
  }

  private static void paths(ObjectNode paths, ResourceType type) {
    String base =
        (type.group().isEmpty() ? "/api/" : "/apis/")
            + type.apiVersion()
            + (type.namespaced() ? "/namespaces/{namespace}/" : "/")
            + type.plural();
    ObjectNode collection = paths.putObject(base);
    operation(collection, type, "list", "get", List.of("labelSelector", "fieldSelector", "limit"));
    operation(collection, type, "create", "post", WRITE);
    operation(collection, type, "deletecollection", "delete", List.of("labelSelector"));
    if (type.can("get")) {
      ObjectNode one = paths.putObject(base + "/{name}");
      operation(one, type, "get", "get", List.of());
      operation(one, type, "update", "put", WRITE);
      List<String> patch = new ArrayList<>(WRITE);
      patch.add("force");
      operation(one, type, "patch", "patch", patch);
      operation(one, type, "delete", "delete", List.of("dryRun", "gracePeriodSeconds"));
    }
  }

  private static final List<String> WRITE = List.of("dryRun", "fieldManager", "fieldValidation");

  private static void operation(
      ObjectNode path, ResourceType type, String verb, String method, List<String> parameters) {
    if (!type.can(verb)) {
      return;
    }
    ObjectNode operation = path.putObject(method);
    operation.put("operationId", verb + type.kind());
    ArrayNode list = operation.putArray("parameters");
    for (String parameter : parameters) {
      ObjectNode node = list.addObject().put("name", parameter).put("in", "query");
      node.putObject("schema").put("type", parameter.equals("force") ? "boolean" : "string");
    }
    operation
        .putObject("responses")
        .putObject("200")
        .put("description", "OK")
        .putObject("content")
        .putObject("application/json")
        .putObject("schema")
        .put("$ref", reference(ModelClasses.of(type)));
    operation.put("x-kubernetes-action", verb.equals("create") ? "post" : verb);
    operation.set("x-kubernetes-group-version-kind", kind(type));
  }

  private static ObjectNode kind(ResourceType type) {
    return Json.object()
        .put("group", type.group())
        .put("version", type.version())
        .put("kind", type.kind());
  }

  private static String name(Class<?> model) {
    return model.getName().replace(PACKAGE, "").replace('$', '.');
  }

  private static String reference(Class<?> model) {
    return "#/components/schemas/" + name(model);
  }

  /** The kinds themselves and everything they consist of. */
  private void definitions(ObjectNode definitions, List<ResourceType> types) {
    Deque<Class<?>> open = new ArrayDeque<>();
    Set<Class<?>> seen = new HashSet<>();
    for (ResourceType type : types) {
      Class<?> model = ModelClasses.of(type);
      if (seen.add(model)) {
        open.add(model);
      }
    }
    while (!open.isEmpty()) {
      Class<?> model = open.remove();
      ObjectNode schema = definitions.putObject(name(model)).put("type", "object");
      schema.put("description", descriptions.ofType(model.getSimpleName()));
      types.stream()
          .filter(type -> ModelClasses.of(type) == model)
          .forEach(type -> schema.putArray("x-kubernetes-group-version-kind").add(kind(type)));
      ObjectNode properties = schema.putObject("properties");
      for (Map.Entry<String, Schemas.Shape> field : schemas.fields(model).entrySet()) {
        ObjectNode property = properties.putObject(field.getKey());
        describe(property, field.getValue());
        property.put("description", descriptions.ofField(model.getSimpleName(), field.getKey()));
        merging(property, model, field.getKey(), field.getValue());
        Class<?> next = leaf(field.getValue());
        if (next != null && seen.add(next)) {
          open.add(next);
        }
      }
    }
  }

  private static Class<?> leaf(Schemas.Shape shape) {
    return shape.element() == null ? shape.model() : leaf(shape.element());
  }

  private static void describe(ObjectNode schema, Schemas.Shape shape) {
    switch (shape.form()) {
      case TEXT -> schema.put("type", "string");
      case WHOLE_NUMBER ->
          schema.put("type", "integer").put("format", shape.wide() ? "int64" : "int32");
      case NUMBER -> schema.put("type", "number").put("format", "double");
      case BOOLEAN -> schema.put("type", "boolean");
      case EITHER -> schema.put("type", "string").put("format", "int-or-string");
      case QUANTITY -> schema.put("type", "string").put("format", "quantity");
      case OBJECT -> schema.putArray("allOf").addObject().put("$ref", reference(shape.model()));
      case LIST -> describe(schema.put("type", "array").putObject("items"), shape.element());
      case MAP ->
          describe(schema.put("type", "object").putObject("additionalProperties"), shape.element());
      default -> schema.put("type", "object").put("x-kubernetes-preserve-unknown-fields", true);
    }
  }

  /** Says how a list merges, for clients that compute patches from the description. */
  private static void merging(
      ObjectNode property, Class<?> model, String field, Schemas.Shape shape) {
    if (shape.form() != Schemas.Form.LIST) {
      return;
    }
    String parent = parent(model);
    List<String> keys = MergeKeys.keys(parent, field);
    if (!keys.isEmpty()) {
      property.put("x-kubernetes-patch-strategy", "merge");
      property.put("x-kubernetes-patch-merge-key", keys.getFirst());
      property.put("x-kubernetes-list-type", "map");
      property.set("x-kubernetes-list-map-keys", Json.array(keys));
    } else if (MergeKeys.set(parent, field)) {
      property.put("x-kubernetes-patch-strategy", "merge");
      property.put("x-kubernetes-list-type", "set");
    } else {
      property.put("x-kubernetes-list-type", "atomic");
    }
  }

  /** The field by which objects of a class are reached, where that matters for merging. */
  private static String parent(Class<?> model) {
    String name = model.getSimpleName();
    if (name.endsWith("Container")) {
      return "containers";
    }
    if (name.equals("ObjectMeta")) {
      return "metadata";
    }
    if (name.endsWith("Spec")) {
      return "spec";
    }
    return name.endsWith("Status") ? "status" : "";
  }
}
