package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.MicroTime;
import io.fabric8.kubernetes.api.model.Quantity;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What fields the objects of a kind have and of what type, read off the client library's model
 * classes.
 */
final class Schemas {
  /** The types that a value can have. */
  enum Form {
    TEXT("string"),
    WHOLE_NUMBER("integer"),
    NUMBER("number"),
    BOOLEAN("boolean"),
    /** A whole number or text. */
    EITHER("integer or string"),
    QUANTITY("quantity"),
    OBJECT("object"),
    LIST("list"),
    MAP("object"),
    ANY("anything");

    private final String words;

    Form(String words) {
      this.words = words;
    }
  }

  /**
   * A type.
   *
   * @param form its form
   * @param model the class of an OBJECT
   * @param element the type of the values of a LIST or a MAP
   * @param wide whether a number has 64 bits
   */
  record Shape(Form form, Class<?> model, Shape element, boolean wide) {
    static Shape plain(Form form) {
      return new Shape(form, null, null, false);
    }
  }

  private final Map<Class<?>, Map<String, Shape>> fields = new ConcurrentHashMap<>();

  /** The fields of a model class by name, sorted. */
  Map<String, Shape> fields(Class<?> model) {
    return fields.computeIfAbsent(model, Schemas::read);
  }

  private static Map<String, Shape> read(Class<?> model) {
    Map<String, Shape> shapes = new TreeMap<>();
    for (Class<?> at = model; at != null && at != Object.class; at = at.getSuperclass()) {
      for (Field field : at.getDeclaredFields()) {
        JsonProperty property = field.getAnnotation(JsonProperty.class);
        if (property != null) {
          String name = property.value().isEmpty() ? field.getName() : property.value();
          shapes.put(name, shape(field.getGenericType()));
        }
      }
    }
    return new LinkedHashMap<>(shapes);
  }

  private static Shape shape(Type type) {
    if (type instanceof ParameterizedType parameterized) {
      Type[] arguments = parameterized.getActualTypeArguments();
      Class<?> raw = (Class<?>) parameterized.getRawType();
      if (List.class.isAssignableFrom(raw)) {
        return new Shape(Form.LIST, null, shape(arguments[0]), false);
      }
      if (Map.class.isAssignableFrom(raw)) {
        return new Shape(Form.MAP, null, shape(arguments[1]), false);
      }
      return Shape.plain(Form.ANY);
    }
    if (!(type instanceof Class<?> model)) {
      return Shape.plain(Form.ANY);
    }
    if (model == String.class) {
      return Shape.plain(Form.TEXT);
    } else if (model == Integer.class || model == int.class) {
      return Shape.plain(Form.WHOLE_NUMBER);
    } else if (model == Long.class || model == long.class) {
      return new Shape(Form.WHOLE_NUMBER, null, null, true);
    } else if (model == Boolean.class || model == boolean.class) {
      return Shape.plain(Form.BOOLEAN);
    } else if (model == Double.class || model == Float.class) {
      return Shape.plain(Form.NUMBER);
    } else if (model == IntOrString.class) {
      return Shape.plain(Form.EITHER);
    } else if (model == Quantity.class) {
      return Shape.plain(Form.QUANTITY);
    } else if (model == MicroTime.class || model == ZonedDateTime.class) {
      return Shape.plain(Form.TEXT);
    }
    return read(model).isEmpty()
        ? Shape.plain(Form.ANY)
        : new Shape(Form.OBJECT, model, null, false);
  }

  /**
   * Takes out of an object what its kind does not know.
   *
   * @return one line for each field that went
   * @throws ApiException 400 if a value has the wrong type, such as text where a number belongs
   */
  List<String> prune(ResourceType type, ObjectNode object) {
    Walk walk = new Walk();
    walk.object("", object, ModelClasses.of(type));
    if (!walk.wrong.isEmpty()) {
      throw ApiException.badRequest(
          "%s of %s cannot be read: %s"
              .formatted(type.kind(), type.apiVersion(), String.join(", ", walk.wrong)));
    }
    return walk.unknown;
  }

  private final class Walk {
    private final List<String> unknown = new ArrayList<>();
    private final List<String> wrong = new ArrayList<>();

    void object(String path, ObjectNode object, Class<?> model) {
      Map<String, Shape> known = fields(model);
      List<String> names = new ArrayList<>();
      object.fieldNames().forEachRemaining(names::add);
      for (String name : names) {
        String at = path.isEmpty() ? name : path + "." + name;
        Shape shape = known.get(name);
        if (shape == null) {
          unknown.add("unknown field \"%s\"".formatted(at));
          object.remove(name);
        } else {
          value(at, object.get(name), shape);
        }
      }
    }

    void value(String path, JsonNode value, Shape shape) {
      if (value.isNull()) {
        return;
      }
      boolean fits =
          switch (shape.form()) {
            case TEXT -> value.isTextual();
            case WHOLE_NUMBER -> value.isIntegralNumber();
            case NUMBER -> value.isNumber();
            case BOOLEAN -> value.isBoolean();
            case EITHER -> value.isTextual() || value.isIntegralNumber();
            case QUANTITY -> value.isTextual() || value.isNumber();
            case OBJECT, MAP -> value.isObject();
            case LIST -> value.isArray();
            case ANY -> true;
          };
      if (!fits) {
        wrong.add(
            "%s must be %s, not %s"
                .formatted(
                    path,
                    shape.form().words,
                    value.getNodeType().toString().toLowerCase(java.util.Locale.ROOT)));
        return;
      }
      if (shape.form() == Form.OBJECT) {
        object(path, (ObjectNode) value, shape.model());
      } else if (shape.form() == Form.MAP) {
        value
            .properties()
            .forEach(e -> value(path + "." + e.getKey(), e.getValue(), shape.element()));
      } else if (shape.form() == Form.LIST) {
        for (int i = 0; i < value.size(); i++) {
          value(path + "[" + i + "]", ((ArrayNode) value).get(i), shape.element());
        }
      }
    }
  }
}
