package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reading and writing of JSON values with the limits and the leniency that the protocol asks. */
final class Json {
  /** Deeper nesting is refused; no message of the protocol comes near it. */
  static final int MAX_DEPTH = 256;

  /** The parser keeps names for reuse, so their length bounds its memory. */
  static final int MAX_NAME = 1024;

  static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxNameLength(MAX_NAME)
                  .maxStringLength(Envelopes.MAX_MESSAGE)
                  .build())
          .recyclerPool(JsonRecyclerPools.newBoundedPool(32))
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .build();

  /** Takes the fields of an object; a value it leaves alone is skipped. */
  interface FieldReader {
    void field(String name, JsonParser value) throws IOException;
  }

  /** Reads with a parser; see {@link #with}. */
  interface Reader<T> {
    T read(JsonParser json) throws IOException;
  }

  private Json() {}

  /**
   * Calls the reader for each field; the parser stands on the object's start and ends on its end.
   */
  static void fields(JsonParser json, FieldReader reader) throws IOException {
    for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
      json.nextToken();
      reader.field(whole(name), json);
      json.skipChildren();
    }
  }

  /** Runs a parser over one value and turns all complaints into one kind of exception. */
  static <T> T with(JsonText text, String what, Reader<T> reader) throws ProtocolException {
    Utf8.check(text.bytes(), text.offset(), text.length(), what);
    try (JsonParser json = FACTORY.createParser(text.bytes(), text.offset(), text.length())) {
      try {
        if (json.nextToken() == null) {
          throw new ProtocolException(what + ": no JSON");
        }
        T read = reader.read(json);
        if (json.nextToken() != null) {
          throw new ProtocolException(what + ": something follows the JSON value");
        }
        return read;
      } catch (JsonProcessingException e) {
        // Its text may quote the message, and so a secret: the position has to do.
        throw new ProtocolException(
            what + ": malformed JSON at byte " + json.currentLocation().getByteOffset());
      }
    } catch (ProtocolException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw new ProtocolException(what + ": malformed JSON");
    }
  }

  /** A string; empty for any other type. */
  static String text(JsonParser json) throws IOException {
    return json.currentToken() == JsonToken.VALUE_STRING ? whole(json.getText()) : "";
  }

  /** Any value: strings, numbers, booleans, null, maps and lists. */
  static Object value(JsonParser json) throws IOException {
    return switch (json.currentToken()) {
      case VALUE_STRING -> whole(json.getText());
      case VALUE_TRUE -> Boolean.TRUE;
      case VALUE_FALSE -> Boolean.FALSE;
      case VALUE_NUMBER_INT -> json.getNumberValue();
      case VALUE_NUMBER_FLOAT -> json.getDoubleValue();
      case START_OBJECT -> object(json);
      case START_ARRAY -> {
        List<Object> list = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
          list.add(value(json));
        }
        yield list;
      }
      default -> null;
    };
  }

  /** A whole object; an empty map for any other type. */
  static Map<String, Object> object(JsonParser json) throws IOException {
    Map<String, Object> map = new LinkedHashMap<>();
    if (json.currentToken() == JsonToken.START_OBJECT) {
      fields(json, (name, value) -> map.put(name, value(value)));
    }
    return map;
  }

  /**
   * A whole payload as a map; missing text counts as an empty object.
   *
   * @throws ProtocolException if it is not one JSON object
   */
  static Map<String, Object> object(JsonText text, String what) throws ProtocolException {
    if (text.isEmpty()) {
      return Map.of();
    }
    return with(
        text,
        what,
        json -> {
          if (json.currentToken() != JsonToken.START_OBJECT) {
            throw new ProtocolException(what + ": not a JSON object");
          }
          return object(json);
        });
  }

  /** Writes a string field. */
  static void put(JsonGenerator json, String name, String value) throws IOException {
    json.writeFieldName(name);
    json.writeString(whole(value));
  }

  /** Writes a string field unless it is empty. */
  static void putPresent(JsonGenerator json, String name, String value) throws IOException {
    if (!value.isEmpty()) {
      put(json, name, value);
    }
  }

  /** Writes a number field unless it is 0. */
  static void putPresent(JsonGenerator json, String name, long value) throws IOException {
    if (value != 0) {
      json.writeNumberField(name, value);
    }
  }

  /** Writes a boolean field if it is true. */
  static void putPresent(JsonGenerator json, String name, boolean value) throws IOException {
    if (value) {
      json.writeBooleanField(name, true);
    }
  }

  /** Writes the entries of a map as fields of the present object. */
  static void putAll(JsonGenerator json, Map<String, ?> fields) throws IOException {
    for (Map.Entry<String, ?> field : fields.entrySet()) {
      json.writeFieldName(whole(field.getKey()));
      write(json, field.getValue());
    }
  }

  /** Writes a JSON-like value; anything unknown as its text. */
  static void write(JsonGenerator json, Object value) throws IOException {
    switch (value) {
      case null -> json.writeNull();
      case String text -> json.writeString(whole(text));
      case Boolean bool -> json.writeBoolean(bool);
      case Integer number -> json.writeNumber(number);
      case Long number -> json.writeNumber(number);
      case Short number -> json.writeNumber(number);
      case Byte number -> json.writeNumber(number);
      case java.math.BigInteger number -> json.writeNumber(number);
      case java.math.BigDecimal number -> json.writeNumber(number);
      case Number number -> {
        double real = number.doubleValue();
        if (Double.isFinite(real)) {
          json.writeNumber(real);
        } else {
          json.writeNull();
        }
      }
      case Map<?, ?> map -> {
        json.writeStartObject();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          json.writeFieldName(whole(String.valueOf(entry.getKey())));
          write(json, entry.getValue());
        }
        json.writeEndObject();
      }
      case Iterable<?> list -> {
        json.writeStartArray();
        for (Object item : list) {
          write(json, item);
        }
        json.writeEndArray();
      }
      default -> json.writeString(whole(value.toString()));
    }
  }

  /**
   * The text with each half of a surrogate pair that stands alone replaced by U+FFFD. Such text can
   * be escaped in JSON but not be written as UTF-8.
   */
  static String whole(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return replaceSurrogates(text);
      }
    }
    return text;
  }

  /** The text as a JSON string in quotes. */
  static String quote(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16).append('"');
    JsonStringEncoder.getInstance().quoteAsString(whole(text), out);
    return out.append('"').toString();
  }

  /** A peer's text made fit for one line of a log: no control characters, not too long. */
  static String printable(String text) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length() && i < 100; i++) {
      char c = text.charAt(i);
      out.append(c < ' ' || c == 0x7F ? '?' : c);
    }
    return whole(out.toString());
  }

  private static String replaceSurrogates(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints().forEach(c -> out.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c));
    return out.toString();
  }
}
