package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** A document that the operations of a JSON patch (RFC 6902) are applied to, one after another. */
final class JsonPatch {
  private JsonNode root;

  JsonPatch(JsonNode root) {
    this.root = root;
  }

  JsonNode root() {
    return root;
  }

  void apply(JsonNode operation) {
    String kind = Json.text(operation, "op");
    JsonPointer path = pointer(operation, "path");
    switch (kind) {
      case "add" -> add(path, value(operation));
      case "remove" -> remove(path);
      case "replace" -> {
        require(path);
        replace(path, value(operation));
      }
      case "copy" -> add(path, require(pointer(operation, "from")).deepCopy());
      case "move" -> {
        JsonPointer from = pointer(operation, "from");
        JsonNode moved = require(from);
        remove(from);
        add(path, moved);
      }
      case "test" -> {
        if (!root.at(path).equals(value(operation))) {
          throw ApiException.badRequest("the test of the JSON patch failed at " + path);
        }
      }
      default -> throw ApiException.badRequest("a JSON patch has no operation \"" + kind + "\"");
    }
  }

  private static JsonPointer pointer(JsonNode operation, String field) {
    try {
      return JsonPointer.compile(Json.text(operation, field));
    } catch (IllegalArgumentException e) {
      throw ApiException.badRequest("not a JSON pointer: " + Json.text(operation, field));
    }
  }

  private static JsonNode value(JsonNode operation) {
    if (!operation.has("value")) {
      throw ApiException.badRequest("the operation of the JSON patch lacks its value");
    }
    return operation.get("value").deepCopy();
  }

  private JsonNode require(JsonPointer path) {
    JsonNode node = root.at(path);
    if (node.isMissingNode()) {
      throw missing(path);
    }
    return node;
  }

  private static ApiException missing(JsonPointer path) {
    return ApiException.badRequest("the JSON patch names a place that is not there: " + path);
  }

  private void add(JsonPointer path, JsonNode value) {
    if (path.matches()) {
      root = value;
      return;
    }
    JsonNode parent = require(path.head());
    String field = path.last().getMatchingProperty();
    if (parent instanceof ObjectNode object) {
      object.set(field, value);
    } else if (parent instanceof ArrayNode list) {
      if (field.equals("-")) {
        list.add(value);
      } else {
        list.insert(index(path, list.size()), value);
      }
    } else {
      throw missing(path);
    }
  }

  private void replace(JsonPointer path, JsonNode value) {
    if (path.matches()) {
      root = value;
    } else if (root.at(path.head()) instanceof ArrayNode list) {
      list.set(index(path, list.size() - 1), value);
    } else {
      add(path, value);
    }
  }

  private void remove(JsonPointer path) {
    require(path);
    if (path.matches()) {
      throw ApiException.badRequest("a JSON patch cannot remove the object itself");
    }
    JsonNode parent = root.at(path.head());
    if (parent instanceof ObjectNode object) {
      object.remove(path.last().getMatchingProperty());
    } else if (parent instanceof ArrayNode list) {
      list.remove(index(path, list.size() - 1));
    }
  }

  private static int index(JsonPointer path, int most) {
    int index = path.last().getMatchingIndex();
    if (index < 0 || index > most) {
      throw missing(path);
    }
    return index;
  }
}
