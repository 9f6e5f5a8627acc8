package io.pipeops.agent.provision.features;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.pipeops.agent.provision.settings.SettingType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Reads the R8 form of a feature (OSGi Compendium 159), as far as we use it: strict, bounded, and
 * with the line of every mistake.
 */
public final class FeatureFileReader {
  /** Longest file. */
  public static final int MAX_BYTES = 256 * 1024;

  private static final int MAX_BUNDLES = 128;
  private static final int MAX_ENTRIES = 256;
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-fA-F]{64}");
  private static final Set<String> PROGRAMS = Set.of("agent", "hub", "sandbox");
  private static final Set<String> TEXTS =
      Set.of("name", "license", "docURL", "vendor", "SCM", "feature-resource-version");

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(16)
                  .maxDocumentLength(MAX_BYTES)
                  .maxStringLength(MAX_BYTES)
                  .maxNameLength(512)
                  .maxNumberLength(64)
                  .build())
          .build();

  private final String file;
  private final boolean base;
  private final JsonParser json;

  private String[] id;
  private String description = "";
  private final List<BundleRef> bundles = new ArrayList<>();
  private final Map<String, Map<String, ConfigurationValue>> configurations = new LinkedHashMap<>();
  private List<String> programs = List.of("agent", "sandbox");
  private boolean enabled = true;
  private List<String> requires = List.of();

  private FeatureFileReader(String file, boolean base, JsonParser json) {
    this.file = file;
    this.base = base;
    this.json = json;
  }

  /**
   * Reads a feature.
   *
   * @param file how messages call the file
   * @throws BadFeature with file, line and reason
   */
  public static FeatureFile read(String file, byte[] content) throws BadFeature {
    return read(file, content, false);
  }

  /**
   * Reads the file of the base, which needs no digests and may say things that only the launcher
   * understands.
   *
   * @throws BadFeature with file, line and reason
   */
  public static FeatureFile readBase(String file, byte[] content) throws BadFeature {
    return read(file, content, true);
  }

  private static FeatureFile read(String file, byte[] content, boolean base) throws BadFeature {
    if (content.length > MAX_BYTES) {
      throw new BadFeature(file + ": larger than " + MAX_BYTES + " bytes");
    }
    try (JsonParser json = JSON.createParser(content)) {
      return new FeatureFileReader(file, base, json).feature();
    } catch (JsonProcessingException malformed) {
      int line = malformed.getLocation() == null ? 1 : malformed.getLocation().getLineNr();
      throw new BadFeature(file + ":" + Math.max(line, 1) + ": invalid JSON: " + reason(malformed));
    } catch (IOException unreadable) {
      throw new BadFeature(file + ": " + unreadable.getMessage());
    }
  }

  private static String reason(JsonProcessingException malformed) {
    String first = malformed.getOriginalMessage().lines().findFirst().orElse("");
    return first.length() > 200 ? first.substring(0, 200) : first;
  }

  private FeatureFile feature() throws IOException, BadFeature {
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw bad("a feature file holds one JSON object");
    }
    object(this::topLevel);
    if (json.nextToken() != null) {
      throw bad("there is something after the feature");
    }
    if (id == null) {
      throw bad("\"id\" is missing");
    }
    if (bundles.isEmpty() && !base) {
      throw bad("\"bundles\" is missing or empty");
    }
    String name = id[1].startsWith("feature-") ? id[1].substring("feature-".length()) : id[1];
    if (!base && !NAME.matcher(name).matches()) {
      throw bad("\"" + name + "\" is not a feature's name; write group:feature-name:version");
    }
    try {
      return new FeatureFile(
          name,
          id[2],
          BundleRef.osgi(id[2]),
          description,
          bundles,
          configurations,
          programs,
          enabled,
          requires);
    } catch (IllegalArgumentException malformed) {
      throw bad("\"" + id[2] + "\" is not a version such as 1.2.3");
    }
  }

  private void topLevel(String key) throws IOException, BadFeature {
    switch (key) {
      case "id" -> id = coordinates(text(key));
      case "description" -> description = text(key);
      case "bundles" -> bundles();
      case "configurations" -> configurations();
      case "extensions" -> extensions();
      default -> {
        if (base) {
          json.skipChildren();
        } else if (TEXTS.contains(key)) {
          text(key);
        } else {
          throw unknown(key);
        }
      }
    }
  }

  private void bundles() throws IOException, BadFeature {
    array("bundles");
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (bundles.size() == MAX_BUNDLES) {
        throw bad("more than " + MAX_BUNDLES + " bundles");
      }
      bundles.add(bundle());
    }
  }

  private BundleRef bundle() throws IOException, BadFeature {
    if (base && json.currentToken() == JsonToken.VALUE_STRING) {
      String[] parts = coordinates(json.getText());
      return new BundleRef(parts[0], parts[1], parts[2], "");
    }
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw bad("a bundle is an object with \"id\" and \"sha256\"");
    }
    String[] found = new String[2];
    object(
        key -> {
          switch (key) {
            case "id" -> found[0] = text(key);
            case "sha256" -> found[1] = text(key);
            default -> {
              if (!base) {
                throw unknown(key);
              }
              json.skipChildren();
            }
          }
        });
    if (found[0] == null) {
      throw bad("a bundle has no \"id\"");
    }
    String[] parts = coordinates(found[0]);
    if (found[1] == null && base) {
      found[1] = "";
    } else if (found[1] == null || !SHA256.matcher(found[1]).matches()) {
      throw bad("the bundle " + found[0] + " needs \"sha256\" with 64 hexadecimal digits");
    }
    for (BundleRef earlier : bundles) {
      if (earlier.artifact().equals(parts[1]) && earlier.version().equals(parts[2])) {
        throw bad("the bundle " + found[0] + " is there twice");
      }
    }
    return new BundleRef(parts[0], parts[1], parts[2], found[1].toLowerCase(Locale.ROOT));
  }

  private String[] coordinates(String text) throws BadFeature {
    String[] parts = BundleRef.coordinates(text);
    if (parts == null) {
      throw bad("\"" + clip(text) + "\" has not the form group:artifact:version");
    }
    return parts;
  }

  private void configurations() throws IOException, BadFeature {
    startObject("configurations");
    object(
        pid -> {
          startObject(pid);
          Map<String, ConfigurationValue> properties = new LinkedHashMap<>();
          object(property -> properties.put(name(property), value(property)));
          bounded(properties.size());
          configurations.put(pid, properties);
        });
    bounded(configurations.size());
  }

  private static String name(String property) {
    int colon = property.indexOf(':');
    return colon < 0 ? property : property.substring(0, colon);
  }

  private ConfigurationValue value(String property) throws IOException, BadFeature {
    int colon = property.indexOf(':');
    String type = colon < 0 ? "" : property.substring(colon + 1);
    boolean declared = type.endsWith("[]") || type.startsWith("Collection<");
    type = type.replace("[]", "").replace("Collection<", "").replace(">", "");
    boolean array = json.currentToken() == JsonToken.START_ARRAY;
    List<String> texts = new ArrayList<>();
    JsonToken first = json.currentToken();
    if (array) {
      while (json.nextToken() != JsonToken.END_ARRAY) {
        first = json.currentToken();
        texts.add(scalar(property));
        bounded(texts.size());
      }
    } else {
      texts.add(scalar(property));
    }
    SettingType of = type.isEmpty() ? natural(first) : SettingType.named(type);
    ConfigurationValue value = new ConfigurationValue(of, array || declared, texts);
    try {
      value.value();
    } catch (IllegalArgumentException malformed) {
      throw bad("\"" + clip(property) + "\" has a value of another type");
    }
    return value;
  }

  private static SettingType natural(JsonToken token) {
    return switch (token) {
      case VALUE_TRUE, VALUE_FALSE -> SettingType.BOOLEAN;
      case VALUE_NUMBER_INT -> SettingType.LONG;
      case VALUE_NUMBER_FLOAT -> SettingType.DOUBLE;
      default -> SettingType.STRING;
    };
  }

  private String scalar(String property) throws IOException, BadFeature {
    if (!json.currentToken().isScalarValue() || json.currentToken() == JsonToken.VALUE_NULL) {
      throw bad("\"" + clip(property) + "\" needs a plain value or a list of them");
    }
    return json.getText();
  }

  private void extensions() throws IOException, BadFeature {
    startObject("extensions");
    object(
        key -> {
          if (key.equals("agent")) {
            startObject(key);
            object(this::extension);
          } else if (base) {
            json.skipChildren();
          } else {
            throw unknown("extensions." + key);
          }
        });
  }

  private void extension(String key) throws IOException, BadFeature {
    switch (key) {
      case "kind", "type" -> text(key);
      case "json" -> {
        startObject(key);
        object(this::agent);
      }
      default -> throw unknown("extensions.agent." + key);
    }
  }

  private void agent(String key) throws IOException, BadFeature {
    switch (key) {
      case "programs" -> {
        programs = texts(key);
        for (String program : programs) {
          if (!PROGRAMS.contains(program)) {
            throw bad("\"" + clip(program) + "\" is not a program; allowed: agent, hub, sandbox");
          }
        }
      }
      case "requires" -> requires = texts(key);
      case "enabled" -> {
        if (!json.currentToken().isBoolean()) {
          throw bad("\"enabled\" needs true or false");
        }
        enabled = json.getBooleanValue();
      }
      default -> {
        if (!base) {
          throw unknown("extensions.agent.json." + key);
        }
        json.skipChildren();
      }
    }
  }

  private List<String> texts(String key) throws IOException, BadFeature {
    array(key);
    List<String> texts = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      texts.add(text(key));
      bounded(texts.size());
    }
    return texts;
  }

  private String text(String key) throws IOException, BadFeature {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw bad("\"" + clip(key) + "\" needs a text");
    }
    return json.getText();
  }

  private void array(String key) throws BadFeature {
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw bad("\"" + clip(key) + "\" needs a list");
    }
  }

  private void startObject(String key) throws BadFeature {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw bad("\"" + clip(key) + "\" needs an object");
    }
  }

  private void bounded(int size) throws BadFeature {
    if (size > MAX_ENTRIES) {
      throw bad("more than " + MAX_ENTRIES + " entries");
    }
  }

  /** Reads the members of the object that the parser stands at; each call reads one value. */
  private void object(Member member) throws IOException, BadFeature {
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String key = json.currentName();
      json.nextToken();
      member.read(key);
    }
  }

  private BadFeature unknown(String key) {
    return bad("unknown key \"" + clip(key) + "\"");
  }

  private BadFeature bad(String reason) {
    return new BadFeature(file + ":" + json.currentLocation().getLineNr() + ": " + reason);
  }

  private static String clip(String text) {
    String line = text.replaceAll("\\p{Cntrl}", " ");
    return line.length() > 80 ? line.substring(0, 80) + "…" : line;
  }

  /** Reads the value of one key. */
  private interface Member {
    void read(String key) throws IOException, BadFeature;
  }
}
