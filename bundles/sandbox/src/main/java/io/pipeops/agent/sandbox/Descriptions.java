package io.pipeops.agent.sandbox;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/**
 * What kinds and fields are for, in a sentence each. The file names a field as {@code Kind.field},
 * or as {@code .field} if it means the same everywhere. Most have none.
 */
final class Descriptions {
  private final Properties texts = new Properties();

  Descriptions() {
    try (InputStream in = Descriptions.class.getResourceAsStream("descriptions.properties")) {
      texts.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String ofType(String name) {
    return texts.getProperty(name, "");
  }

  String ofField(String type, String field) {
    return texts.getProperty(type + "." + field, texts.getProperty("." + field, ""));
  }
}
