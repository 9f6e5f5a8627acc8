package io.pipeops.agent.heartbeat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.util.Map;

/** Reads from the lists of the Kubernetes API just what the figures need, without building them. */
final class ListReader {
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64).build())
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  /** CPU in cores and memory in bytes. */
  record Load(double cpu, double memory) {}

  /**
   * One page of a list.
   *
   * @param items how many items it has
   * @param remaining how many follow; -1 if the server does not say
   * @param next token of the next page; empty if this is the last
   */
  record Page(int items, long remaining, String next) {}

  private ListReader() {}

  /**
   * Reads a page.
   *
   * @param field the object in each item that holds {@code cpu} and {@code memory}, such as {@code
   *     status/allocatable}; empty if the items do not matter
   * @param loads takes what was found, by the item's name
   * @throws IOException if this is no list
   */
  static Page read(byte[] json, String field, Map<String, Load> loads) throws IOException {
    try (JsonParser parser = FACTORY.createParser(json)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("not a JSON object");
      }
      int items = -1;
      long remaining = -1;
      String next = "";
      for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
        parser.nextToken();
        if (name.equals("items") && parser.currentToken() == JsonToken.START_ARRAY) {
          items = items(parser, field.split("/"), loads);
        } else if (name.equals("metadata") && parser.currentToken() == JsonToken.START_OBJECT) {
          for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
            JsonToken value = parser.nextToken();
            if (key.equals("continue") && value == JsonToken.VALUE_STRING) {
              next = parser.getText();
            } else if (key.equals("remainingItemCount") && value == JsonToken.VALUE_NUMBER_INT) {
              remaining = parser.getLongValue();
            } else {
              parser.skipChildren();
            }
          }
        } else if (name.equals("items") && parser.currentToken() == JsonToken.VALUE_NULL) {
          items = 0;
        } else {
          parser.skipChildren();
        }
      }
      if (items < 0 || parser.currentToken() != JsonToken.END_OBJECT) {
        throw new IOException("not a whole list");
      }
      return new Page(items, next.isEmpty() ? 0 : remaining, next);
    } catch (IOException | RuntimeException e) {
      throw new IOException("the API server's answer is not a list", e);
    }
  }

  private static int items(JsonParser parser, String[] path, Map<String, Load> loads)
      throws IOException {
    int count = 0;
    while (parser.nextToken() == JsonToken.START_OBJECT) {
      count++;
      String[] found = new String[3];
      for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
        parser.nextToken();
        if (key.equals("metadata") && !path[0].isEmpty()) {
          pick(parser, new String[0], 0, Map.of("name", 0), found);
        } else if (key.equals(path[0])) {
          pick(parser, path, 1, Map.of("cpu", 1, "memory", 2), found);
        } else {
          parser.skipChildren();
        }
      }
      if (found[0] != null && found[1] != null && found[2] != null) {
        loads.put(found[0], new Load(Quantity.parse(found[1]), Quantity.parse(found[2])));
      }
    }
    return count;
  }

  /** Descends along the path and takes the texts of the wanted fields at its end. */
  private static void pick(
      JsonParser parser, String[] path, int depth, Map<String, Integer> wanted, String[] found)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      parser.skipChildren();
      return;
    }
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      JsonToken value = parser.nextToken();
      if (depth < path.length && key.equals(path[depth])) {
        pick(parser, path, depth + 1, wanted, found);
      } else if (depth >= path.length && wanted.containsKey(key) && value.isScalarValue()) {
        found[wanted.get(key)] = parser.getText();
      } else {
        parser.skipChildren();
      }
    }
  }
}
