package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** JSON patch (RFC 6902), JSON merge patch (RFC 7386) and the API's strategic merge patch. */
final class Patches {
  private static final int MAX_OPERATIONS = 10_000;
  private static final String DIRECTIVE = "$patch";
  private static final String RETAIN_KEYS = "$retainKeys";
  private static final String DELETE_FROM = "$deleteFromPrimitiveList/";
  private static final String ORDER = "$setElementOrder/";

  private Patches() {}

  /** Changes the target and returns what it has become. */
  static JsonNode json(JsonNode target, JsonNode patch) {
    if (!patch.isArray()) {
      throw ApiException.badRequest("a JSON patch is a list of operations");
    }
    if (patch.size() > MAX_OPERATIONS) {
      throw ApiException.badRequest(
          "a JSON patch has at most %d operations".formatted(MAX_OPERATIONS));
    }
    JsonPatch document = new JsonPatch(target);
    patch.forEach(document::apply);
    return document.root();
  }

  static JsonNode merge(JsonNode target, JsonNode patch) {
    if (!(patch instanceof ObjectNode fields)) {
      return patch;
    }
    ObjectNode result = target instanceof ObjectNode object ? object : Json.object();
    for (Map.Entry<String, JsonNode> field : fields.properties()) {
      if (field.getValue().isNull()) {
        result.remove(field.getKey());
      } else {
        result.set(field.getKey(), merge(result.path(field.getKey()), field.getValue()));
      }
    }
    return result;
  }

  static ObjectNode strategic(ObjectNode target, JsonNode patch) {
    if (!(patch instanceof ObjectNode fields)) {
      throw ApiException.badRequest("a strategic merge patch is an object");
    }
    return strategicObject(target, fields, "");
  }

  private static ObjectNode strategicObject(ObjectNode target, ObjectNode patch, String name) {
    String directive = Json.text(patch, DIRECTIVE);
    if (directive.equals("replace")) {
      ObjectNode replacement = patch.deepCopy();
      replacement.remove(DIRECTIVE);
      return replacement;
    }
    if (directive.equals("delete")) {
      return Json.object();
    }
    if (patch.path(RETAIN_KEYS) instanceof ArrayNode retained) {
      List<String> names = new ArrayList<>();
      retained.forEach(field -> names.add(field.asText()));
      target.retain(names);
    }
    for (Map.Entry<String, JsonNode> entry : patch.properties()) {
      String field = entry.getKey();
      JsonNode value = entry.getValue();
      if (field.startsWith(DELETE_FROM)) {
        removeValues(target, field.substring(DELETE_FROM.length()), value);
      } else if (field.startsWith("$")) {
        continue;
      } else if (value.isNull()) {
        target.remove(field);
      } else if (value instanceof ObjectNode object) {
        ObjectNode present = target.get(field) instanceof ObjectNode node ? node : Json.object();
        target.set(field, strategicObject(present, object, field));
      } else if (value instanceof ArrayNode list) {
        ArrayNode present = target.get(field) instanceof ArrayNode node ? node : Json.array();
        target.set(field, strategicList(present, list, name, field));
      } else {
        target.set(field, value);
      }
    }
    // Last, because it orders what the rest of the patch has put there.
    for (Map.Entry<String, JsonNode> entry : patch.properties()) {
      if (entry.getKey().startsWith(ORDER)) {
        order(target, entry.getKey().substring(ORDER.length()), entry.getValue(), name);
      }
    }
    return target;
  }

  private static ArrayNode strategicList(
      ArrayNode target, ArrayNode patch, String parent, String field) {
    if (MergeKeys.set(parent, field)) {
      for (JsonNode value : patch) {
        if (!contains(target, value)) {
          target.add(value);
        }
      }
      return target;
    }
    String key = MergeKeys.patchKey(parent, field);
    if (key.isEmpty()) {
      return patch.deepCopy();
    }
    for (JsonNode item : patch) {
      if (Json.text(item, DIRECTIVE).equals("replace")) {
        ArrayNode replaced = Json.array();
        patch.forEach(
            other -> {
              if (!other.has(DIRECTIVE)) {
                replaced.add(other.deepCopy());
              }
            });
        return replaced;
      }
    }
    for (JsonNode item : patch) {
      if (!(item instanceof ObjectNode fields) || !item.has(key)) {
        throw ApiException.badRequest(
            "an item of the list %s lacks its merge key %s".formatted(field, key));
      }
      int at = find(target, key, fields.get(key));
      if (Json.text(fields, DIRECTIVE).equals("delete")) {
        while (at >= 0) {
          target.remove(at);
          at = find(target, key, fields.get(key));
        }
      } else if (at < 0) {
        target.add(strategicObject(Json.object(), fields, field));
      } else {
        target.set(at, strategicObject((ObjectNode) target.get(at), fields, field));
      }
    }
    return target;
  }

  private static void removeValues(ObjectNode target, String field, JsonNode values) {
    if (target.get(field) instanceof ArrayNode list) {
      for (int i = list.size() - 1; i >= 0; i--) {
        if (contains(values, list.get(i))) {
          list.remove(i);
        }
      }
    }
  }

  /** Items named by the order come in that order; others keep their place behind them. */
  private static void order(ObjectNode target, String field, JsonNode order, String parent) {
    if (!(target.get(field) instanceof ArrayNode list)) {
      return;
    }
    String key = MergeKeys.patchKey(parent, field);
    ArrayNode sorted = Json.array();
    for (JsonNode wanted : order) {
      for (int i = 0; i < list.size(); i++) {
        JsonNode item = list.get(i);
        boolean same =
            key.isEmpty() ? item.equals(wanted) : item.path(key).equals(wanted.path(key));
        if (same) {
          sorted.add(item);
          list.remove(i);
          break;
        }
      }
    }
    list.forEach(sorted::add);
    target.set(field, sorted);
  }

  private static int find(ArrayNode list, String key, JsonNode value) {
    for (int i = 0; i < list.size(); i++) {
      if (list.get(i) instanceof ObjectNode item
          && item.path(key).asText().equals(value.asText())) {
        return i;
      }
    }
    return -1;
  }

  private static boolean contains(JsonNode list, JsonNode value) {
    for (JsonNode item : list) {
      if (item.equals(value)) {
        return true;
      }
    }
    return false;
  }
}
