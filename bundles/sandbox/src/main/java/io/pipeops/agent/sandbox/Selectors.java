package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Label and field selectors as predicates on objects. */
final class Selectors {
  private static final Pattern SET =
      Pattern.compile("^\\s*([^\\s!=,()]+)\\s+(in|notin)\\s*\\(([^()]*)\\)\\s*$");
  private static final Pattern EQUALITY =
      Pattern.compile("^\\s*([^\\s!=,()<>]+)\\s*(==|=|!=|<|>)\\s*([^\\s!=,()]*)\\s*$");
  private static final Pattern PRESENCE = Pattern.compile("^\\s*(!?)\\s*([^\\s!=,()]+)\\s*$");

  /** Fields that every kind can be selected by. */
  private static final List<String> ALWAYS = List.of("metadata.name", "metadata.namespace");

  private static final Map<String, List<String>> FIELDS =
      Map.of(
          "pods",
          List.of(
              "spec.nodeName",
              "spec.restartPolicy",
              "spec.schedulerName",
              "spec.serviceAccountName",
              "spec.hostNetwork",
              "status.phase",
              "status.podIP",
              "status.nominatedNodeName"),
          "events",
          List.of(
              "involvedObject.kind",
              "involvedObject.namespace",
              "involvedObject.name",
              "involvedObject.uid",
              "involvedObject.apiVersion",
              "involvedObject.resourceVersion",
              "involvedObject.fieldPath",
              "reason",
              "reportingComponent",
              "source",
              "type"),
          "secrets",
          List.of("type"),
          "namespaces",
          List.of("status.phase"),
          "nodes",
          List.of("spec.unschedulable"),
          "replicasets.apps",
          List.of("status.replicas"),
          "services",
          List.of("spec.clusterIP", "spec.type"),
          "jobs.batch",
          List.of("status.successful"));

  private Selectors() {}

  /** The text form of a label selector; empty text selects everything. */
  static Predicate<JsonNode> labels(String selector) {
    Predicate<JsonNode> all = object -> true;
    for (String term : terms(selector)) {
      Predicate<JsonNode> labels = label(term);
      all = all.and(object -> labels.test(Json.at(object, "metadata", "labels")));
    }
    return all;
  }

  private static Predicate<JsonNode> label(String term) {
    Matcher set = SET.matcher(term);
    if (set.matches()) {
      List<String> values = List.of(set.group(3).trim().split("\\s*,\\s*", -1));
      String key = set.group(1);
      return set.group(2).equals("in")
          ? labels -> labels.has(key) && values.contains(labels.path(key).asText())
          : labels -> !labels.has(key) || !values.contains(labels.path(key).asText());
    }
    Matcher equality = EQUALITY.matcher(term);
    if (equality.matches()) {
      String key = equality.group(1);
      String value = equality.group(3);
      return switch (equality.group(2)) {
        case "!=" -> labels -> !value.equals(labels.path(key).asText(null));
        case "<" -> labels -> integer(labels.path(key)) < bound(value, term);
        case ">" -> labels -> integer(labels.path(key)) > bound(value, term);
        default -> labels -> value.equals(labels.path(key).asText(null));
      };
    }
    Matcher presence = PRESENCE.matcher(term);
    if (presence.matches()) {
      boolean wanted = presence.group(1).isEmpty();
      String key = presence.group(2);
      return labels -> labels.has(key) == wanted;
    }
    throw ApiException.badRequest("the label selector has a part that cannot be read: " + term);
  }

  /** Not a number compares false on both sides. */
  private static double integer(JsonNode label) {
    try {
      return Long.parseLong(label.asText());
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  private static double bound(String value, String term) {
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw ApiException.badRequest("the label selector compares with no number: " + term);
    }
  }

  /** The object form of a label selector, as in a Deployment; an empty one selects everything. */
  static Predicate<JsonNode> object(JsonNode selector) {
    Map<String, String> equal = new LinkedHashMap<>();
    selector
        .path("matchLabels")
        .properties()
        .forEach(label -> equal.put(label.getKey(), label.getValue().asText()));
    List<Predicate<JsonNode>> expressions = new ArrayList<>();
    for (JsonNode expression : selector.path("matchExpressions")) {
      String key = Json.text(expression, "key");
      List<String> values = new ArrayList<>();
      expression.path("values").forEach(value -> values.add(value.asText()));
      expressions.add(
          switch (Json.text(expression, "operator")) {
            case "In" -> labels -> labels.has(key) && values.contains(labels.path(key).asText());
            case "NotIn" ->
                labels -> !labels.has(key) || !values.contains(labels.path(key).asText());
            case "Exists" -> labels -> labels.has(key);
            case "DoesNotExist" -> labels -> !labels.has(key);
            default -> labels -> false;
          });
    }
    return object -> {
      JsonNode labels = Json.at(object, "metadata", "labels");
      return equal.entrySet().stream()
              .allMatch(e -> e.getValue().equals(labels.path(e.getKey()).asText(null)))
          && expressions.stream().allMatch(expression -> expression.test(labels));
    };
  }

  /** A plain map of labels, as in a Service. */
  static Predicate<JsonNode> map(JsonNode labels) {
    return object(Json.object().set("matchLabels", labels));
  }

  static Predicate<JsonNode> fields(ResourceType type, String selector) {
    Predicate<JsonNode> all = object -> true;
    for (String term : terms(selector)) {
      Matcher equality = Pattern.compile("^([^=!]+?)(==|=|!=)(.*)$").matcher(term.trim());
      if (!equality.matches()) {
        throw ApiException.badRequest("the field selector has a part that cannot be read: " + term);
      }
      String field = equality.group(1);
      if (!ALWAYS.contains(field)
          && !FIELDS.getOrDefault(type.qualified(), List.of()).contains(field)) {
        throw ApiException.badRequest(
            "%s cannot be selected by the field %s".formatted(type, field));
      }
      String value = equality.group(3);
      boolean wanted = !equality.group(2).equals("!=");
      String[] path =
          field.equals("source") ? new String[] {"source", "component"} : field.split("\\.", -1);
      all = all.and(object -> fieldText(object, path).equals(value) == wanted);
    }
    return all;
  }

  private static String fieldText(JsonNode object, String[] path) {
    String text = Json.text(object, path);
    String last = path[path.length - 1];
    return text.isEmpty() && (last.equals("unschedulable") || last.equals("hostNetwork"))
        ? "false"
        : text;
  }

  /** Splits at the commas outside brackets. */
  private static List<String> terms(String selector) {
    List<String> terms = new ArrayList<>();
    int depth = 0;
    int start = 0;
    for (int i = 0; i <= selector.length(); i++) {
      char c = i == selector.length() ? ',' : selector.charAt(i);
      if (c == '(') {
        depth++;
      } else if (c == ')') {
        depth--;
      } else if (c == ',' && (depth == 0 || i == selector.length())) {
        if (!selector.substring(start, i).isBlank()) {
          terms.add(selector.substring(start, i));
        }
        start = i + 1;
      }
    }
    return terms;
  }
}
