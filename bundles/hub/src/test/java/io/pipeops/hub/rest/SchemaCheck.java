package io.pipeops.hub.rest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.TreeSet;

/** Holds a real answer against the schema that the description gives for it. */
final class SchemaCheck {
  private final JsonNode description;

  SchemaCheck(JsonNode description) {
    this.description = description;
  }

  /** The answer has exactly the schema's fields, of the right types, and all that are required. */
  void check(JsonNode answer, String schema) {
    check(answer, description.at("/components/schemas/" + schema), schema);
  }

  private void check(JsonNode value, JsonNode schema, String where) {
    if (schema.has("$ref")) {
      check(value, description.at(schema.get("$ref").asText().substring(1)), where);
      return;
    }
    if (schema.has("oneOf")) {
      if (!value.isNull()) {
        check(value, schema.get("oneOf").get(0), where);
      }
      return;
    }
    checkType(value, schema, where);
    if (value.isObject()) {
      Set<String> names = new TreeSet<>();
      value.fieldNames().forEachRemaining(names::add);
      schema
          .get("required")
          .forEach(name -> assertTrue(names.contains(name.asText()), where + "." + name.asText()));
      for (String name : names) {
        assertTrue(schema.get("properties").has(name), where + "." + name + " is not described");
        check(value.get(name), schema.get("properties").get(name), where + "." + name);
      }
    } else if (value.isArray()) {
      value.forEach(item -> check(item, schema.get("items"), where + "[]"));
    }
  }

  private static void checkType(JsonNode value, JsonNode schema, String where) {
    Set<String> types = new TreeSet<>();
    JsonNode type = schema.get("type");
    if (type.isArray()) {
      type.forEach(one -> types.add(one.asText()));
    } else {
      types.add(type.asText());
    }
    String actual =
        switch (value.getNodeType()) {
          case OBJECT -> "object";
          case ARRAY -> "array";
          case STRING -> "string";
          case BOOLEAN -> "boolean";
          case NULL -> "null";
          case NUMBER ->
              types.contains("integer") && value.isIntegralNumber() ? "integer" : "number";
          default -> "unknown";
        };
    assertTrue(types.contains(actual), where + " is " + actual + ", not " + types);
    if (schema.has("enum")) {
      Set<String> allowed = new TreeSet<>();
      schema.get("enum").forEach(one -> allowed.add(one.asText()));
      assertTrue(allowed.contains(value.asText()), where + " is " + value.asText());
    }
    if (schema.has("const")) {
      assertEquals(schema.get("const"), value, where);
    }
  }
}
