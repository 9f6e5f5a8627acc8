package io.pipeops.agent.provision.settings;

import java.util.Locale;

/** The types that metatype knows, each with its form as text. */
public enum SettingType {
  STRING(String.class, "text"),
  PASSWORD(String.class, "text"),
  BOOLEAN(Boolean.class, "true or false"),
  INTEGER(Integer.class, "a whole number"),
  LONG(Long.class, "a whole number"),
  SHORT(Short.class, "a whole number"),
  BYTE(Byte.class, "a whole number"),
  DOUBLE(Double.class, "a number"),
  FLOAT(Float.class, "a number"),
  CHARACTER(Character.class, "one character");

  private final Class<?> boxed;
  private final String form;

  SettingType(Class<?> boxed, String form) {
    this.boxed = boxed;
    this.form = form;
  }

  /** The name as metatype and the Configurator form write it; anything unknown is text. */
  public static SettingType named(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "password" -> PASSWORD;
      case "boolean" -> BOOLEAN;
      case "integer", "int" -> INTEGER;
      case "long" -> LONG;
      case "short" -> SHORT;
      case "byte" -> BYTE;
      case "double" -> DOUBLE;
      case "float" -> FLOAT;
      case "character", "char" -> CHARACTER;
      default -> STRING;
    };
  }

  public Class<?> boxed() {
    return boxed;
  }

  /** What a value looks like, for messages. */
  String form() {
    return form;
  }

  boolean numeric() {
    return Number.class.isAssignableFrom(boxed);
  }

  /**
   * The value of a text.
   *
   * @throws IllegalArgumentException if it has not the type's form
   */
  public Object parse(String text) {
    return switch (this) {
      case STRING, PASSWORD -> text;
      case BOOLEAN -> bool(text);
      case INTEGER -> Integer.valueOf(text);
      case LONG -> Long.valueOf(text);
      case SHORT -> Short.valueOf(text);
      case BYTE -> Byte.valueOf(text);
      case DOUBLE -> finite(Double.parseDouble(text));
      case FLOAT -> finite((double) Float.parseFloat(text)).floatValue();
      case CHARACTER -> single(text);
    };
  }

  private static Boolean bool(String text) {
    if (text.equalsIgnoreCase("true")) {
      return Boolean.TRUE;
    }
    if (text.equalsIgnoreCase("false")) {
      return Boolean.FALSE;
    }
    throw new IllegalArgumentException("neither true nor false");
  }

  private static Double finite(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      throw new IllegalArgumentException("not a number");
    }
    return value;
  }

  private static Character single(String text) {
    if (text.length() != 1) {
      throw new IllegalArgumentException("not one character");
    }
    return text.charAt(0);
  }
}
