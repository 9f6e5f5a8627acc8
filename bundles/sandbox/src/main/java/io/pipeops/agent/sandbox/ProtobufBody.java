package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.fabric8.kubernetes.api.model.DeleteOptions;
import io.fabric8.kubernetes.api.model.authentication.TokenRequest;
import io.fabric8.kubernetes.api.model.autoscaling.v1.Scale;
import io.fabric8.kubernetes.api.model.policy.v1.Eviction;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/**
 * Reads a body in the API's protobuf form as JSON. Command lines send that form for what they build
 * themselves ({@code kubectl create deployment}, {@code auth can-i}) and know no way back to JSON.
 * Only reading is needed: answers are JSON for everyone.
 *
 * <p>The numbers of the fields come from a table, their types from the model classes. A number that
 * the table does not have is an error, so that nothing is lost in silence.
 */
final class ProtobufBody {
  static final String MEDIA_TYPE = "application/vnd.kubernetes.protobuf";
  private static final byte[] MAGIC = {'k', '8', 's', 0};
  private static final int MAX_DEPTH = 40;

  private record Place(String name, char mark) {}

  private final Schemas schemas;
  private final ResourceCatalog catalog;
  private final Map<String, Map<Integer, Place>> messages = new HashMap<>();

  ProtobufBody(ResourceCatalog catalog, Schemas schemas) {
    this.catalog = catalog;
    this.schemas = schemas;
    Properties table = new Properties();
    try (InputStream in = ProtobufBody.class.getResourceAsStream("wire.properties")) {
      table.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    table.forEach((message, fields) -> messages.put((String) message, places((String) fields)));
  }

  private static Map<Integer, Place> places(String fields) {
    Map<Integer, Place> places = new HashMap<>();
    String[] words = fields.split(" ", -1);
    for (int i = 0; i < words.length; i += 2) {
      String[] name = words[i + 1].split(":", -1);
      char mark = name[0].startsWith("+") ? '+' : name.length > 1 ? name[1].charAt(0) : ' ';
      places.put(Integer.valueOf(words[i]), new Place(name[0].replace("+", ""), mark));
    }
    return places;
  }

  /** Reads a whole body. */
  ObjectNode read(byte[] bytes) {
    for (int i = 0; i < MAGIC.length; i++) {
      if (bytes.length < MAGIC.length || bytes[i] != MAGIC[i]) {
        throw malformed("it does not begin as it should");
      }
    }
    WireReader outer = new WireReader(bytes, MAGIC.length, bytes.length);
    String apiVersion = "";
    String kind = "";
    WireReader content = new WireReader(bytes, 0, 0);
    while (outer.next()) {
      if (outer.number() == 1) {
        WireReader type = outer.message();
        while (type.next()) {
          if (type.number() == 1) {
            apiVersion = type.text();
          } else if (type.number() == 2) {
            kind = type.text();
          }
        }
      } else if (outer.number() == 2) {
        content = outer.message();
      }
    }
    Class<?> model = model(apiVersion, kind);
    ObjectNode object = Json.object().put("apiVersion", apiVersion).put("kind", kind);
    fields(object, content, model.getSimpleName(), model, 0);
    return object;
  }

  private Class<?> model(String apiVersion, String kind) {
    return switch (kind) {
      case "DeleteOptions" -> DeleteOptions.class;
      case "Eviction" -> Eviction.class;
      case "Scale" -> Scale.class;
      case "TokenRequest" -> TokenRequest.class;
      default ->
          catalog
              .ofKind(apiVersion, kind)
              .filter(type -> messages.containsKey(type.kind()))
              .<Class<?>>map(ModelClasses::of)
              .orElseThrow(
                  () ->
                      ApiException.unsupportedMediaType(
                          "%s of %s %s; send JSON".formatted(MEDIA_TYPE, apiVersion, kind)));
    };
  }

  static ApiException malformed(String why) {
    return ApiException.badRequest("the protobuf body cannot be read: " + why);
  }

  private void fields(
      ObjectNode into, WireReader reader, String message, Class<?> model, int depth) {
    Map<Integer, Place> places = messages.get(message);
    if (places == null || depth > MAX_DEPTH) {
      throw malformed("%s is not known in this form; send JSON".formatted(message));
    }
    while (reader.next()) {
      Place place = places.get(reader.number());
      // What a client says of a status is not taken anyway.
      if (place == null && message.endsWith("Status")) {
        continue;
      }
      if (place == null) {
        throw malformed(
            "field %d of %s is not known in this form; send JSON"
                .formatted(reader.number(), message));
      }
      if (place.mark() == '+') {
        fields(into, reader.message(), place.name(), model, depth + 1);
      } else {
        Schemas.Shape shape = schemas.fields(model).get(place.name());
        if (shape == null) {
          throw malformed("%s has no field %s".formatted(message, place.name()));
        }
        put(into, place, shape, reader, depth);
      }
    }
  }

  private void put(
      ObjectNode into, Place place, Schemas.Shape shape, WireReader reader, int depth) {
    String name = place.name();
    if (shape.form() == Schemas.Form.LIST) {
      // In a list even an empty text counts: "" is the name of the core group.
      JsonNode value =
          shape.element().form() == Schemas.Form.TEXT
              ? TextNode.valueOf(reader.text())
              : value(place, shape.element(), reader, depth);
      Json.list(into, name).add(value == null ? Json.object() : value);
    } else if (shape.form() == Schemas.Form.MAP) {
      entry(Json.child(into, name), place, shape.element(), reader.message(), depth);
    } else {
      JsonNode value = value(place, shape, reader, depth);
      if (value != null) {
        into.set(name, value);
      }
    }
  }

  private void entry(
      ObjectNode map, Place place, Schemas.Shape shape, WireReader reader, int depth) {
    String key = "";
    JsonNode value = TextNode.valueOf("");
    while (reader.next()) {
      if (reader.number() == 1) {
        key = reader.text();
      } else if (place.mark() == 'b') {
        value = TextNode.valueOf(Base64.getEncoder().encodeToString(reader.bytes()));
      } else if (shape.form() == Schemas.Form.TEXT) {
        value = TextNode.valueOf(reader.text());
      } else {
        value = value(place, shape, reader, depth);
      }
    }
    map.set(key, value);
  }

  /** A value; null if it is nothing but the zero that the sender writes for what is not set. */
  private JsonNode value(Place place, Schemas.Shape shape, WireReader reader, int depth) {
    boolean counts = place.mark() == 'z';
    return switch (shape.form()) {
      case TEXT -> {
        if (place.mark() == 't') {
          yield time(reader.message());
        }
        String text = reader.text();
        yield text.isEmpty() ? null : TextNode.valueOf(text);
      }
      case WHOLE_NUMBER -> {
        long number = reader.integer();
        if (number == 0 && !counts) {
          yield null;
        }
        yield number == (int) number ? IntNode.valueOf((int) number) : LongNode.valueOf(number);
      }
      case BOOLEAN -> {
        boolean set = reader.integer() != 0;
        yield set || counts ? com.fasterxml.jackson.databind.node.BooleanNode.valueOf(set) : null;
      }
      case EITHER -> intOrString(reader.message());
      case QUANTITY -> single(reader.message());
      case OBJECT -> {
        ObjectNode object = Json.object();
        fields(object, reader.message(), shape.model().getSimpleName(), shape.model(), depth + 1);
        boolean meaning = place.name().equals("emptyDir");
        yield object.isEmpty() && !meaning ? null : object;
      }
      case ANY -> raw(reader.message());
      default -> throw malformed("%s has a form that is not known".formatted(place.name()));
    };
  }

  private static JsonNode time(WireReader reader) {
    long seconds = 0;
    long nanos = 0;
    while (reader.next()) {
      if (reader.number() == 1) {
        seconds = reader.integer();
      } else {
        nanos = reader.integer();
      }
    }
    return seconds == 0 ? null : TextNode.valueOf(Instant.ofEpochSecond(seconds, nanos).toString());
  }

  private static JsonNode intOrString(WireReader reader) {
    boolean text = false;
    int number = 0;
    String string = "";
    while (reader.next()) {
      switch (reader.number()) {
        case 1 -> text = reader.integer() == 1;
        case 2 -> number = (int) reader.integer();
        default -> string = reader.text();
      }
    }
    return text ? TextNode.valueOf(string) : IntNode.valueOf(number);
  }

  private static JsonNode single(WireReader reader) {
    String text = "0";
    while (reader.next()) {
      text = reader.text();
    }
    return TextNode.valueOf(text);
  }

  /** A message that carries JSON in its one field. */
  private static JsonNode raw(WireReader reader) {
    JsonNode node = Json.object();
    while (reader.next()) {
      try {
        node = Json.MAPPER.readTree(new String(reader.bytes(), StandardCharsets.UTF_8));
      } catch (JsonProcessingException e) {
        throw malformed("a part of it should be JSON and is not");
      }
    }
    return node;
  }
}
