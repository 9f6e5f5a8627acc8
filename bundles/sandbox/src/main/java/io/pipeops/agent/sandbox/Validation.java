package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The checks that people run into while trying things out; a real cluster has many more. */
final class Validation {
  private final List<ApiException.Cause> causes = new ArrayList<>();

  private Validation() {}

  /**
   * Checks a whole object.
   *
   * @throws ApiException 422 with all that is wrong
   */
  static void check(ResourceType type, ObjectNode object) {
    Validation validation = new Validation();
    validation.metadata(type, object);
    validation.spec(type, object);
    validation.finish(type, Json.name(object));
  }

  /** Checks that nothing was changed that is fixed at creation. */
  static void checkChange(ResourceType type, ObjectNode before, ObjectNode after) {
    Validation validation = new Validation();
    switch (type.qualified()) {
      case "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps" ->
          validation.fixed(before, after, "spec", "selector");
      case "services" -> {
        if (!Json.text(before, "spec", "type").equals("ExternalName")) {
          validation.fixed(before, after, "spec", "clusterIP");
        }
      }
      case "secrets", "configmaps" -> {
        validation.fixed(before, after, "type");
        if (before.path("immutable").asBoolean()) {
          validation.fixed(before, after, "immutable");
          validation.fixed(before, after, "data");
          validation.fixed(before, after, "binaryData");
        }
      }
      case "pods" -> validation.podChange(before, after);
      default -> {}
    }
    validation.finish(type, Json.name(after));
  }

  private void finish(ResourceType type, String name) {
    if (!causes.isEmpty()) {
      throw ApiException.invalid(type, name, causes);
    }
  }

  private void invalid(String field, JsonNode value, String why) {
    causes.add(
        new ApiException.Cause(
            "FieldValueInvalid", "Invalid value: %s: %s".formatted(Json.write(value), why), field));
  }

  private void required(String field, String why) {
    causes.add(
        new ApiException.Cause(
            "FieldValueRequired", "Required value" + (why.isEmpty() ? "" : ": " + why), field));
  }

  private void fixed(ObjectNode before, ObjectNode after, String... path) {
    JsonNode now = Json.at(after, path);
    if (!now.equals(Json.at(before, path))) {
      invalid(String.join(".", path), now, "field is immutable");
    }
  }

  private void metadata(ResourceType type, ObjectNode object) {
    String fault = Names.fault(type, Json.name(object));
    if (!fault.isEmpty()) {
      invalid("metadata.name", Json.at(object, "metadata", "name"), fault);
    }
    labels("metadata.labels", Json.at(object, "metadata", "labels"));
    JsonNode annotations = Json.at(object, "metadata", "annotations");
    for (Map.Entry<String, JsonNode> entry : annotations.properties()) {
      if (!entry.getValue().isTextual()) {
        invalid("metadata.annotations", entry.getValue(), "an annotation is text");
      }
    }
  }

  private void labels(String field, JsonNode labels) {
    for (Map.Entry<String, JsonNode> entry : labels.properties()) {
      if (!Names.labelKey(entry.getKey())) {
        invalid(
            field,
            com.fasterxml.jackson.databind.node.TextNode.valueOf(entry.getKey()),
            "a label's name has at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', after an optional"
                + " DNS prefix and '/'");
      }
      if (!entry.getValue().isTextual() || !Names.labelValue(entry.getValue().asText())) {
        invalid(
            field,
            entry.getValue(),
            "a label's value is empty or has at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a"
                + " letter or digit at both ends");
      }
    }
  }

  private void spec(ResourceType type, ObjectNode object) {
    JsonNode spec = object.path("spec");
    switch (type.qualified()) {
      case "pods" -> pod("spec", spec);
      case "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps" -> {
        pod("spec.template.spec", Json.at(spec, "template", "spec"));
        selector(spec);
        replicas(spec);
      }
      case "jobs.batch" -> {
        pod("spec.template.spec", Json.at(spec, "template", "spec"));
        if (Json.text(spec, "template", "spec", "restartPolicy").equals("Always")) {
          invalid(
              "spec.template.spec.restartPolicy",
              Json.at(spec, "template", "spec", "restartPolicy"),
              "must be OnFailure or Never");
        }
      }
      case "services" -> ports(spec);
      case "configmaps" -> strings("data", object.path("data"));
      case "secrets" -> strings("data", object.path("data"));
      default -> {}
    }
  }

  private void strings(String field, JsonNode data) {
    for (Map.Entry<String, JsonNode> entry : data.properties()) {
      if (!entry.getKey().matches("[-._a-zA-Z0-9]{1,253}")) {
        invalid(
            field + "[" + entry.getKey() + "]",
            com.fasterxml.jackson.databind.node.TextNode.valueOf(entry.getKey()),
            "a key consists of at most 253 letters, digits, '-', '_' and '.'");
      }
    }
  }

  private void selector(JsonNode spec) {
    JsonNode selector = spec.path("selector");
    if (Json.at(selector, "matchLabels").isEmpty()
        && Json.at(selector, "matchExpressions").isEmpty()) {
      required("spec.selector", "");
    } else if (!Selectors.object(selector).test(spec.path("template"))) {
      invalid(
          "spec.template.metadata.labels",
          Json.at(spec, "template", "metadata", "labels"),
          "the selector does not select the template's labels");
    }
  }

  private void replicas(JsonNode spec) {
    JsonNode replicas = spec.path("replicas");
    if (!replicas.isMissingNode() && (!replicas.isInt() || replicas.asInt() < 0)) {
      invalid("spec.replicas", replicas, "must be a whole number, 0 or more");
    }
  }

  private void pod(String field, JsonNode spec) {
    if (!(spec.path("containers") instanceof ArrayNode containers) || containers.isEmpty()) {
      required(field + ".containers", "");
      return;
    }
    for (int i = 0; i < containers.size(); i++) {
      String at = field + ".containers[" + i + "]";
      String name = Json.text(containers.get(i), "name");
      if (name.isEmpty()) {
        required(at + ".name", "");
      } else if (!name.matches("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")) {
        invalid(at + ".name", containers.get(i).path("name"), "must be an RFC 1123 label");
      }
      if (Json.text(containers.get(i), "image").isBlank()) {
        required(at + ".image", "");
      }
    }
  }

  private void ports(JsonNode spec) {
    JsonNode ports = spec.path("ports");
    boolean without =
        Json.text(spec, "type").equals("ExternalName")
            || Json.text(spec, "clusterIP").equals("None");
    if (ports.isEmpty() && !without) {
      required("spec.ports", "");
    }
    for (int i = 0; i < ports.size(); i++) {
      int port = ports.get(i).path("port").asInt(0);
      if (port < 1 || port > 65535) {
        invalid("spec.ports[" + i + "].port", ports.get(i).path("port"), "must be 1 to 65535");
      }
      if (ports.size() > 1 && Json.text(ports.get(i), "name").isEmpty()) {
        required("spec.ports[" + i + "].name", "");
      }
    }
  }

  private void podChange(ObjectNode before, ObjectNode after) {
    ObjectNode was = Json.child(before.deepCopy(), "spec");
    ObjectNode now = Json.child(after.deepCopy(), "spec");
    for (ObjectNode spec : List.of(was, now)) {
      spec.remove(List.of("activeDeadlineSeconds", "tolerations", "nodeName"));
      spec.remove(List.of("terminationGracePeriodSeconds", "ephemeralContainers"));
      for (String field : List.of("containers", "initContainers")) {
        spec.path(field).forEach(container -> ((ObjectNode) container).remove("image"));
      }
    }
    if (!was.equals(now)) {
      causes.add(
          new ApiException.Cause(
              "FieldValueForbidden",
              "Forbidden: of a pod that exists only images, tolerations and"
                  + " activeDeadlineSeconds may change",
              "spec"));
    }
  }
}
