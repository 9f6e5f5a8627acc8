package io.pipeops.agent.protocol;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Takes the known fields out of a payload and keeps the others. */
final class FieldMap {
  private final Map<String, Object> rest;

  FieldMap(Map<String, ?> fields) {
    rest = new LinkedHashMap<>(fields);
  }

  String text(String name) {
    return rest.remove(name) instanceof String text ? text : "";
  }

  boolean bool(String name) {
    return Boolean.TRUE.equals(rest.remove(name));
  }

  /** What a field has, which stays. */
  Object peek(String name) {
    return rest.get(name);
  }

  long number(String name) {
    return rest.remove(name) instanceof Number number ? number.longValue() : 0;
  }

  Map<String, Object> object(String name) {
    Map<String, Object> object = new LinkedHashMap<>();
    if (rest.remove(name) instanceof Map<?, ?> map) {
      map.forEach((key, value) -> object.put(String.valueOf(key), value));
    }
    return Collections.unmodifiableMap(object);
  }

  /** An object's fields as strings: numbers and booleans as their text, the rest is left out. */
  Map<String, String> strings(String name) {
    Map<String, String> strings = new LinkedHashMap<>();
    if (rest.remove(name) instanceof Map<?, ?> map) {
      map.forEach(
          (key, value) -> {
            if (value instanceof String || value instanceof Number || value instanceof Boolean) {
              strings.put(String.valueOf(key), value.toString());
            }
          });
    }
    return Collections.unmodifiableMap(strings);
  }

  /** The strings of a list; other items are left out. */
  List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    if (rest.remove(name) instanceof List<?> list) {
      for (Object item : list) {
        if (item instanceof String text) {
          texts.add(text);
        }
      }
    }
    return Collections.unmodifiableList(texts);
  }

  /**
   * A time that is given as a number of seconds under a name with {@code _seconds}, or as Go
   * duration text under the bare name.
   */
  Duration time(String name, Duration otherwise, Duration most) {
    double seconds = rest.remove(name + "_seconds") instanceof Number n ? n.doubleValue() : 0;
    Duration time =
        seconds > 0
            ? Duration.ofMillis((long) Math.min(seconds * 1000, most.toMillis()))
            : GoDuration.tryParse(text(name)).orElse(Duration.ZERO);
    if (!time.isPositive()) {
      return otherwise;
    }
    return time.compareTo(most) > 0 ? most : time;
  }

  /** What nobody took. */
  Map<String, Object> rest() {
    return Collections.unmodifiableMap(rest);
  }

  static void putPresent(Map<String, Object> fields, String name, String value) {
    if (!value.isEmpty()) {
      fields.put(name, value);
    }
  }

  static void putPresent(Map<String, Object> fields, String name, Map<String, ?> value) {
    if (!value.isEmpty()) {
      fields.put(name, value);
    }
  }

  static void putPresent(Map<String, Object> fields, String name, long value) {
    if (value != 0) {
      fields.put(name, value);
    }
  }
}
