package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * HTTP header fields (protocol 0.2): names in the order of their first appearance, looked up
 * without regard to case, each with its values in order. Immutable. Names are kept in Go's
 * canonical form. {@link #toString} gives names only, because values may be secret.
 */
public final class Headers {
  public static final Headers EMPTY = new Headers(Map.of());

  /** More values than this are refused; HTTP servers stop far below. */
  static final int MAX_VALUES = 10_000;

  private final Map<String, List<String>> values;

  private Headers(Map<String, List<String>> values) {
    this.values = values;
  }

  /** Headers of one field. */
  public static Headers of(String name, String value) {
    return builder().add(name, value).build();
  }

  /** Headers from a map, in its order; values of names that differ only in case are joined. */
  public static Headers of(Map<String, ? extends Iterable<String>> map) {
    Builder builder = builder();
    map.forEach((name, values) -> values.forEach(value -> builder.add(name, value)));
    return builder.build();
  }

  public static Builder builder() {
    return new Builder();
  }

  /** All names in canonical form with their values. Unmodifiable. */
  public Map<String, List<String>> all() {
    return values;
  }

  /** The first value of a field, or null. */
  public String first(String name) {
    List<String> found = values(name);
    return found.isEmpty() ? null : found.getFirst();
  }

  /** The first value of a field, or a default. */
  public String first(String name, String otherwise) {
    String found = first(name);
    return found == null ? otherwise : found;
  }

  /** The values of a field in order; empty if there is none. */
  public List<String> values(String name) {
    return values.getOrDefault(canonical(name), List.of());
  }

  public boolean has(String name) {
    return values.containsKey(canonical(name));
  }

  public boolean isEmpty() {
    return values.isEmpty();
  }

  /** A copy in which the field has just this value. */
  public Headers with(String name, String value) {
    return toBuilder().set(name, value).build();
  }

  /** A copy without the field. */
  public Headers without(String name) {
    return has(name) ? toBuilder().remove(name).build() : this;
  }

  public Builder toBuilder() {
    Builder builder = builder();
    values.forEach((name, list) -> list.forEach(value -> builder.add(name, value)));
    return builder;
  }

  /**
   * Go's canonical form: the first letter and each after a hyphen upper case, the rest lower case.
   * A name with characters that no header name may have is left as it is.
   */
  public static String canonical(String name) {
    boolean upper = true;
    boolean same = true;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (!isToken(c)) {
        return name;
      }
      same &= upper ? c < 'a' || c > 'z' : c < 'A' || c > 'Z';
      upper = c == '-';
    }
    if (same) {
      return name;
    }
    char[] chars = name.toLowerCase(Locale.ROOT).toCharArray();
    upper = true;
    for (int i = 0; i < chars.length; i++) {
      if (upper && chars[i] >= 'a' && chars[i] <= 'z') {
        chars[i] -= 'a' - 'A';
      }
      upper = chars[i] == '-';
    }
    return new String(chars);
  }

  private static boolean isToken(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
  }

  /** Parses a value of any type; what is not a header map counts as no headers. */
  static Headers read(JsonParser json) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      return EMPTY;
    }
    Builder builder = builder();
    Json.fields(
        json,
        (name, value) -> {
          if (value.currentToken() == JsonToken.VALUE_STRING) {
            builder.add(name, Json.text(value));
          } else if (value.currentToken() == JsonToken.START_ARRAY) {
            for (JsonToken item = value.nextToken();
                item != JsonToken.END_ARRAY;
                item = value.nextToken()) {
              if (item == JsonToken.VALUE_STRING) {
                builder.add(name, Json.text(value));
              } else {
                value.skipChildren();
              }
            }
          }
          if (builder.count > MAX_VALUES) {
            throw new ProtocolException("headers: more than " + MAX_VALUES + " values");
          }
        });
    return builder.build();
  }

  void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    for (Map.Entry<String, List<String>> field : values.entrySet()) {
      json.writeFieldName(Json.whole(field.getKey()));
      json.writeStartArray();
      for (String value : field.getValue()) {
        json.writeString(Json.whole(value));
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Headers that && values.equals(that.values);
  }

  @Override
  public int hashCode() {
    return values.hashCode();
  }

  @Override
  public String toString() {
    return "Headers" + values.keySet();
  }

  /** Collects header fields. For one thread. */
  public static final class Builder {
    private final Map<String, List<String>> values = new LinkedHashMap<>();
    private int count;

    private Builder() {}

    /** Adds a value after those the field already has. */
    public Builder add(String name, String value) {
      values.computeIfAbsent(canonical(name), key -> new ArrayList<>(1)).add(value);
      count++;
      return this;
    }

    /** Replaces all values of the field, in its place if it has one. */
    public Builder set(String name, String value) {
      List<String> list = new ArrayList<>(1);
      list.add(value);
      values.put(canonical(name), list);
      return this;
    }

    public Builder remove(String name) {
      values.remove(canonical(name));
      return this;
    }

    public Headers build() {
      if (values.isEmpty()) {
        return EMPTY;
      }
      Map<String, List<String>> copy = new LinkedHashMap<>(values.size() * 2);
      values.forEach((name, list) -> copy.put(name, List.copyOf(list)));
      return new Headers(Collections.unmodifiableMap(copy));
    }
  }
}
