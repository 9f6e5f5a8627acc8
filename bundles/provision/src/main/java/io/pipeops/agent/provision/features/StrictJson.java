package io.pipeops.agent.provision.features;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Walks through one JSON text, strictly and within bounds, and knows the line of a mistake. */
final class StrictJson implements AutoCloseable {
  /** Reads the value of one key. */
  interface Member {
    void read(String key) throws IOException, BadFeature;
  }

  private static final int MAX_ENTRIES = 256;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(16)
                  .maxDocumentLength(FeatureFileReader.MAX_BYTES)
                  .maxStringLength(FeatureFileReader.MAX_BYTES)
                  .maxNameLength(512)
                  .maxNumberLength(64)
                  .build())
          .build();

  private final String file;
  private final JsonParser json;

  StrictJson(String file, byte[] content) throws IOException {
    this.file = file;
    this.json = JSON.createParser(content);
  }

  @Override
  public void close() throws IOException {
    json.close();
  }

  JsonToken next() throws IOException {
    return json.nextToken();
  }

  JsonToken current() {
    return json.currentToken();
  }

  void skip() throws IOException {
    json.skipChildren();
  }

  /** Reads the members of the object that the parser stands at; each call reads one value. */
  void object(String key, Member member) throws IOException, BadFeature {
    if (current() != JsonToken.START_OBJECT) {
      throw bad("\"" + clip(key) + "\" needs an object");
    }
    members(member);
  }

  /** The same for an object of which it is known that it is one. */
  void members(Member member) throws IOException, BadFeature {
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String key = json.currentName();
      json.nextToken();
      member.read(key);
    }
  }

  void array(String key) throws BadFeature {
    if (current() != JsonToken.START_ARRAY) {
      throw bad("\"" + clip(key) + "\" needs a list");
    }
  }

  List<String> texts(String key) throws IOException, BadFeature {
    array(key);
    List<String> texts = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      texts.add(text(key));
      bounded(texts.size());
    }
    return texts;
  }

  String text(String key) throws IOException, BadFeature {
    if (current() != JsonToken.VALUE_STRING) {
      throw bad("\"" + clip(key) + "\" needs a text");
    }
    return json.getText();
  }

  /** Text, number or truth value as text. */
  String scalar(String key) throws IOException, BadFeature {
    if (!current().isScalarValue() || current() == JsonToken.VALUE_NULL) {
      throw bad("\"" + clip(key) + "\" needs a plain value or a list of them");
    }
    return json.getText();
  }

  boolean bool(String key) throws IOException, BadFeature {
    if (!current().isBoolean()) {
      throw bad("\"" + clip(key) + "\" needs true or false");
    }
    return json.getBooleanValue();
  }

  void bounded(int size) throws BadFeature {
    if (size > MAX_ENTRIES) {
      throw bad("more than " + MAX_ENTRIES + " entries");
    }
  }

  BadFeature unknown(String key) {
    return bad("unknown key \"" + clip(key) + "\"");
  }

  BadFeature bad(String reason) {
    return new BadFeature(file + ":" + json.currentLocation().getLineNr() + ": " + reason);
  }

  static String clip(String text) {
    String line = text.replaceAll("\\p{Cntrl}", " ");
    return line.length() > 80 ? line.substring(0, 80) + "…" : line;
  }
}
