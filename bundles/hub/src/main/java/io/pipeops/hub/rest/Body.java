package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** A request's body: one flat JSON object whose fields are known, and text or whole numbers. */
final class Body {
  static final int MAX = 16 * 1024;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(4)
                  .maxStringLength(MAX)
                  .maxNameLength(256)
                  .maxNumberLength(64)
                  .build())
          .build();

  private final Map<String, String> fields;

  private Body(Map<String, String> fields) {
    this.fields = fields;
  }

  /**
   * @param known the fields that it may have; a body of no bytes has none
   */
  static Body parse(byte[] bytes, Set<String> known) throws Problem {
    return parse(bytes, known, Set.of());
  }

  /**
   * @param known the fields that it may have
   * @param numbers those of them that are whole numbers
   */
  static Body parse(byte[] bytes, Set<String> known, Set<String> numbers) throws Problem {
    Map<String, String> fields = new HashMap<>();
    if (bytes.length == 0) {
      return new Body(fields);
    }
    String form = "Send one JSON object with some of the fields " + new TreeSet<>(known);
    try (JsonParser json = JSON.createParser(bytes)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw Problem.badRequest("The body is not a JSON object", form);
      }
      for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
        if (!known.contains(name)) {
          throw Problem.badRequest("The body has a field that is not known here", form);
        }
        boolean number = numbers.contains(name);
        if (json.nextToken() != (number ? JsonToken.VALUE_NUMBER_INT : JsonToken.VALUE_STRING)) {
          throw Problem.badRequest(
              "The field %s is not %s".formatted(name, number ? "a whole number" : "text"), form);
        }
        fields.put(name, json.getText());
      }
      if (json.currentToken() != JsonToken.END_OBJECT || json.nextToken() != null) {
        throw Problem.badRequest("Something follows the JSON object in the body", form);
      }
    } catch (IOException e) {
      throw Problem.badRequest("The body is not valid JSON", form);
    }
    return new Body(fields);
  }

  Optional<String> text(String name) {
    return Optional.ofNullable(fields.get(name));
  }

  /** A name for a token: short and printable. */
  Optional<String> name() throws Problem {
    Optional<String> name = text("name");
    if (name.isPresent() && !name.get().matches("[\\p{L}\\p{N}][\\p{L}\\p{N} ._@:/+-]{0,127}")) {
      throw Problem.badRequest(
          "name is empty, too long or has characters that are not allowed",
          "Give a name of 1 to 128 letters, digits, spaces or . _ @ : / + -");
    }
    return name;
  }
}
