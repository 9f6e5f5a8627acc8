package io.pipeops.hub.agents;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Makes what an agent tells fit to be stored and shown: without secrets (protocol 11.1). */
final class Redaction {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> SECRET =
      List.of(
          "token", "password", "secret", "authorization", "cookie", "private_key", "credential");

  private Redaction() {}

  /** JSON text of the fields; what is named like a secret is left out, at any depth. */
  static String json(Map<String, Object> fields) {
    try {
      return JSON.writeValueAsString(clean(fields));
    } catch (JsonProcessingException e) {
      return "{}";
    }
  }

  private static Object clean(Object value) {
    return switch (value) {
      case Map<?, ?> map -> {
        Map<String, Object> copy = new LinkedHashMap<>();
        map.forEach(
            (key, item) -> {
              String name = String.valueOf(key);
              if (!secret(name)) {
                copy.put(name, clean(item));
              }
            });
        yield copy;
      }
      case List<?> list -> {
        List<Object> copy = new ArrayList<>(list.size());
        list.forEach(item -> copy.add(clean(item)));
        yield copy;
      }
      case null -> null;
      default -> value;
    };
  }

  private static boolean secret(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return SECRET.stream().anyMatch(lower::contains);
  }
}
