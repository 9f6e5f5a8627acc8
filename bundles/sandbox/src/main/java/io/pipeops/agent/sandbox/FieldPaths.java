package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Places in an object, in the notation of {@code managedFields}: {@code f:} a field, {@code k:} an
 * item of a keyed list, {@code v:} a value of a set. A path is the list of these steps.
 */
final class FieldPaths {
  private static final String ITSELF = ".";

  /** Below metadata, what belongs to nobody because the server decides on it. */
  private static final Set<String> UNOWNED =
      Set.of(
          "name",
          "namespace",
          "uid",
          "creationTimestamp",
          "resourceVersion",
          "generation",
          "managedFields",
          "selfLink",
          "deletionTimestamp",
          "deletionGracePeriodSeconds");

  private FieldPaths() {}

  /**
   * Every leaf of an object with its value. An item of a keyed list is there itself too, with a
   * missing value.
   */
  static Map<List<String>, JsonNode> leaves(ObjectNode object) {
    Map<List<String>, JsonNode> leaves = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : object.properties()) {
      String field = entry.getKey();
      if (field.equals("metadata")) {
        for (Map.Entry<String, JsonNode> meta : entry.getValue().properties()) {
          if (!UNOWNED.contains(meta.getKey())) {
            walk(
                leaves,
                List.of("f:metadata", "f:" + meta.getKey()),
                "metadata",
                meta.getKey(),
                meta.getValue());
          }
        }
      } else if (!field.equals("apiVersion") && !field.equals("kind")) {
        walk(leaves, List.of("f:" + field), "", field, entry.getValue());
      }
    }
    return leaves;
  }

  private static void walk(
      Map<List<String>, JsonNode> leaves,
      List<String> path,
      String parent,
      String field,
      JsonNode value) {
    if (value instanceof ObjectNode object
        && !object.isEmpty()
        && !MergeKeys.atomicMap(parent, field)) {
      fields(leaves, path, field, object);
    } else if (value instanceof ArrayNode list && keyed(parent, field, list)) {
      List<String> keys = MergeKeys.keys(parent, field);
      for (JsonNode item : list) {
        List<String> at = step(path, key(item, keys));
        leaves.put(at, MissingNode.getInstance());
        fields(leaves, at, field, (ObjectNode) item);
      }
    } else if (value instanceof ArrayNode list && MergeKeys.set(parent, field)) {
      list.forEach(item -> leaves.put(step(path, "v:" + Json.write(item)), item));
    } else {
      leaves.put(path, value);
    }
  }

  private static void fields(
      Map<List<String>, JsonNode> leaves, List<String> path, String name, ObjectNode object) {
    for (Map.Entry<String, JsonNode> entry : object.properties()) {
      walk(leaves, step(path, "f:" + entry.getKey()), name, entry.getKey(), entry.getValue());
    }
  }

  private static List<String> step(List<String> path, String step) {
    List<String> longer = new ArrayList<>(path);
    longer.add(step);
    return List.copyOf(longer);
  }

  /** Whether a list is keyed and all its items have what tells them apart. */
  static boolean keyed(String parent, String field, ArrayNode list) {
    List<String> keys = MergeKeys.keys(parent, field);
    if (keys.isEmpty()) {
      return false;
    }
    for (JsonNode item : list) {
      if (!item.isObject() || !item.has(keys.getFirst())) {
        return false;
      }
    }
    return true;
  }

  private static String key(JsonNode item, List<String> keys) {
    ObjectNode key = Json.object();
    keys.forEach(field -> key.set(field, MergeKeys.value(item, field)));
    return "k:" + Json.write(key);
  }

  static Set<List<String>> decode(JsonNode fields) {
    Set<List<String>> paths = new HashSet<>();
    decode(paths, List.of(), fields);
    return paths;
  }

  private static void decode(Set<List<String>> paths, List<String> path, JsonNode fields) {
    if (fields.isEmpty() && !path.isEmpty()) {
      paths.add(path);
    }
    for (Map.Entry<String, JsonNode> entry : fields.properties()) {
      if (entry.getKey().equals(ITSELF)) {
        paths.add(path);
      } else {
        decode(paths, step(path, entry.getKey()), entry.getValue());
      }
    }
  }

  static ObjectNode encode(Set<List<String>> paths) {
    ObjectNode fields = Json.object();
    paths.stream()
        .sorted((a, b) -> String.join("\n", a).compareTo(String.join("\n", b)))
        .forEach(path -> encode(fields, path, paths));
    return fields;
  }

  private static void encode(ObjectNode fields, List<String> path, Set<List<String>> paths) {
    ObjectNode at = fields;
    for (int i = 0; i < path.size(); i++) {
      at = Json.child(at, path.get(i));
      if (i < path.size() - 1 && paths.contains(path.subList(0, i + 1))) {
        Json.child(at, ITSELF);
      }
    }
  }

  /** The form that messages use: {@code .spec.template.spec.containers[name="web"].image}. */
  static String readable(List<String> path) {
    StringBuilder text = new StringBuilder();
    for (String step : path) {
      String name = step.substring(2);
      if (step.startsWith("f:")) {
        text.append('.').append(name);
      } else if (step.startsWith("v:")) {
        text.append('[').append(name).append(']');
      } else {
        List<String> keys = new ArrayList<>();
        parse(name).properties().forEach(e -> keys.add(e.getKey() + "=" + e.getValue()));
        text.append('[').append(String.join(",", keys)).append(']');
      }
    }
    return text.toString();
  }

  private static JsonNode parse(String json) {
    try {
      return Json.MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      return MissingNode.getInstance();
    }
  }

  /** Takes a place out of an object, and the maps around it that are empty then. */
  static void remove(ObjectNode object, List<String> path) {
    remove((JsonNode) object, path);
  }

  private static void remove(JsonNode node, List<String> path) {
    String step = path.getFirst();
    boolean last = path.size() == 1;
    String name = step.substring(2);
    if (step.startsWith("f:") && node instanceof ObjectNode object) {
      if (last) {
        object.remove(name);
      } else if (object.has(name)) {
        remove(object.get(name), path.subList(1, path.size()));
        if (object.get(name).isContainerNode() && object.get(name).isEmpty()) {
          object.remove(name);
        }
      }
    } else if (node instanceof ArrayNode list) {
      JsonNode wanted = parse(name);
      for (int i = list.size() - 1; i >= 0; i--) {
        JsonNode item = list.get(i);
        boolean same =
            step.startsWith("v:")
                ? item.equals(wanted)
                : wanted.properties().stream()
                    .allMatch(
                        e ->
                            MergeKeys.value(item, e.getKey())
                                .asText()
                                .equals(e.getValue().asText()));
        if (same && last) {
          list.remove(i);
        } else if (same) {
          remove(item, path.subList(1, path.size()));
        }
      }
    }
  }
}
