package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Short ways to read and make JSON trees. Trees in the store are never changed: whoever wants a
 * change takes a deep copy first.
 */
final class Json {
  /** Nesting above 200 is refused while reading, so that recursion over a tree stays shallow. */
  static final ObjectMapper MAPPER =
      new ObjectMapper(
          JsonFactory.builder()
              .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(200).build())
              .build());

  private Json() {}

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  static ArrayNode array() {
    return JsonNodeFactory.instance.arrayNode();
  }

  static ArrayNode array(Iterable<String> values) {
    ArrayNode array = array();
    values.forEach(array::add);
    return array;
  }

  /** The text at a path of field names; empty if there is none. */
  static String text(JsonNode node, String... path) {
    return at(node, path).asText("");
  }

  static int number(JsonNode node, int fallback, String... path) {
    return at(node, path).asInt(fallback);
  }

  /** The node at a path of field names; a missing node if there is none. */
  static JsonNode at(JsonNode node, String... path) {
    JsonNode at = node;
    for (String field : path) {
      at = at.path(field);
    }
    return at;
  }

  /** The object in a field, made if it is missing or something else. */
  static ObjectNode child(ObjectNode node, String field) {
    return node.get(field) instanceof ObjectNode child ? child : node.putObject(field);
  }

  /** The list in a field, made if it is missing or something else. */
  static ArrayNode list(ObjectNode node, String field) {
    return node.get(field) instanceof ArrayNode list ? list : node.putArray(field);
  }

  static ObjectNode meta(ObjectNode node) {
    return child(node, "metadata");
  }

  static String name(JsonNode node) {
    return text(node, "metadata", "name");
  }

  static String namespace(JsonNode node) {
    return text(node, "metadata", "namespace");
  }

  static String uid(JsonNode node) {
    return text(node, "metadata", "uid");
  }

  static long version(JsonNode node) {
    return at(node, "metadata", "resourceVersion").asLong(0);
  }

  static boolean deleting(JsonNode node) {
    return at(node, "metadata").hasNonNull("deletionTimestamp");
  }

  /** The form of a time in the API: UTC, whole seconds. */
  static String time(Instant instant) {
    return instant.truncatedTo(ChronoUnit.SECONDS).toString();
  }

  static byte[] bytes(JsonNode node) {
    return write(node).getBytes(StandardCharsets.UTF_8);
  }

  static String write(JsonNode node) {
    try {
      return MAPPER.writeValueAsString(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a JSON tree can always be written", e);
    }
  }
}
