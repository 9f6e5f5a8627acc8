package io.pipeops.hub.rest;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

/**
 * Which part of a list is wanted.
 *
 * @param limit how many items at most
 * @param after the item after which to begin; empty for the beginning
 */
record Page(int limit, String after) {
  static final Set<String> PARAMETERS = Set.of("limit", "after");
  static final int DEFAULT = 100;
  static final int MAX = 500;

  /** Pages by the ids of items. */
  static Page of(Map<String, String> query) throws Problem {
    String after = query.getOrDefault("after", "");
    if (!after.isEmpty() && !isId(after)) {
      throw Problem.badRequest(
          "after is not an id", "Give the value of next from the page before, or leave it out");
    }
    return new Page(limit(query), after);
  }

  static int limit(Map<String, String> query) throws Problem {
    String text = query.getOrDefault("limit", Integer.toString(DEFAULT));
    if (text.matches("[0-9]{1,4}")) {
      int limit = Integer.parseInt(text);
      if (limit >= 1 && limit <= MAX) {
        return limit;
      }
    }
    throw Problem.badRequest("limit is out of range", "Give a limit from 1 to " + MAX);
  }

  static boolean isId(String text) {
    try {
      return text.length() == 36 && UUID.fromString(text).toString().equals(text);
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /**
   * The page as JSON, with the place of the next one if there may be one.
   *
   * @param items at most {@code limit}
   */
  <T> Answer answer(List<T> items, Function<T, String> id, ItemWriter<T> writer) {
    return Answer.json(
        200,
        json -> {
          json.writeStartObject();
          json.writeArrayFieldStart("items");
          for (T item : items) {
            writer.write(json, item);
          }
          json.writeEndArray();
          if (items.size() == limit) {
            json.writeStringField("next", id.apply(items.getLast()));
          } else {
            json.writeNullField("next");
          }
          json.writeEndObject();
        });
  }

  /** Writes one item of a list. */
  @FunctionalInterface
  interface ItemWriter<T> {
    void write(com.fasterxml.jackson.core.JsonGenerator json, T item) throws java.io.IOException;
  }
}
