package io.pipeops.agent.provision.features;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
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
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-fA-F]{64}");
  private static final Set<String> PROGRAMS = Set.of("agent", "hub", "sandbox");
  private static final Set<String> TEXTS =
      Set.of("name", "license", "docURL", "vendor", "SCM", "feature-resource-version");

  private final boolean base;
  private final StrictJson json;

  private String[] id;
  private String description = "";
  private final List<BundleRef> bundles = new ArrayList<>();
  private final Map<String, Map<String, ConfigurationValue>> configurations = new LinkedHashMap<>();
  private List<String> programs = List.of("agent", "sandbox");
  private boolean enabled = true;
  private List<String> requires = List.of();

  private FeatureFileReader(boolean base, StrictJson json) {
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
    try (StrictJson json = new StrictJson(file, content)) {
      return new FeatureFileReader(base, json).feature();
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
    if (json.next() != JsonToken.START_OBJECT) {
      throw json.bad("a feature file holds one JSON object");
    }
    json.members(this::topLevel);
    if (json.next() != null) {
      throw json.bad("there is something after the feature");
    }
    if (id == null) {
      throw json.bad("\"id\" is missing");
    }
    if (bundles.isEmpty() && !base) {
      throw json.bad("\"bundles\" is missing or empty");
    }
    String name = id[1].startsWith("feature-") ? id[1].substring("feature-".length()) : id[1];
    if (!base && !NAME.matcher(name).matches()) {
      throw json.bad("\"" + name + "\" is not a feature's name; write group:feature-name:version");
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
      throw json.bad("\"" + id[2] + "\" is not a version such as 1.2.3");
    }
  }

  private void topLevel(String key) throws IOException, BadFeature {
    switch (key) {
      case "id" -> id = coordinates(json.text(key));
      case "description" -> description = json.text(key);
      case "bundles" -> bundles();
      case "configurations" -> configurations();
      case "extensions" -> extensions();
      default -> {
        if (base) {
          json.skip();
        } else if (TEXTS.contains(key)) {
          json.text(key);
        } else {
          throw json.unknown(key);
        }
      }
    }
  }

  private void bundles() throws IOException, BadFeature {
    json.array("bundles");
    while (json.next() != JsonToken.END_ARRAY) {
      if (bundles.size() == MAX_BUNDLES) {
        throw json.bad("more than " + MAX_BUNDLES + " bundles");
      }
      bundles.add(bundle());
    }
  }

  private BundleRef bundle() throws IOException, BadFeature {
    if (base && json.current() == JsonToken.VALUE_STRING) {
      String[] parts = coordinates(json.text("bundles"));
      return new BundleRef(parts[0], parts[1], parts[2], "");
    }
    if (json.current() != JsonToken.START_OBJECT) {
      throw json.bad("a bundle is an object with \"id\" and \"sha256\"");
    }
    String[] found = new String[2];
    json.members(
        key -> {
          switch (key) {
            case "id" -> found[0] = json.text(key);
            case "sha256" -> found[1] = json.text(key);
            default -> {
              if (!base) {
                throw json.unknown(key);
              }
              json.skip();
            }
          }
        });
    if (found[0] == null) {
      throw json.bad("a bundle has no \"id\"");
    }
    String[] parts = coordinates(found[0]);
    if (found[1] == null && base) {
      found[1] = "";
    } else if (found[1] == null || !SHA256.matcher(found[1]).matches()) {
      throw json.bad("the bundle " + found[0] + " needs \"sha256\" with 64 hexadecimal digits");
    }
    for (BundleRef earlier : bundles) {
      if (earlier.artifact().equals(parts[1]) && earlier.version().equals(parts[2])) {
        throw json.bad("the bundle " + found[0] + " is there twice");
      }
    }
    return new BundleRef(parts[0], parts[1], parts[2], found[1].toLowerCase(Locale.ROOT));
  }

  private String[] coordinates(String text) throws BadFeature {
    String[] parts = BundleRef.coordinates(text);
    if (parts == null) {
      throw json.bad("\"" + StrictJson.clip(text) + "\" has not the form group:artifact:version");
    }
    return parts;
  }

  private void configurations() throws IOException, BadFeature {
    json.object(
        "configurations",
        pid -> {
          Map<String, ConfigurationValue> properties = new LinkedHashMap<>();
          json.object(pid, property -> properties.put(name(property), value(property)));
          json.bounded(properties.size());
          configurations.put(pid, properties);
        });
    json.bounded(configurations.size());
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
    boolean array = json.current() == JsonToken.START_ARRAY;
    List<String> texts = new ArrayList<>();
    JsonToken first = json.current();
    if (array) {
      while (json.next() != JsonToken.END_ARRAY) {
        first = json.current();
        texts.add(json.scalar(property));
        json.bounded(texts.size());
      }
    } else {
      texts.add(json.scalar(property));
    }
    SettingType of = type.isEmpty() ? natural(first) : SettingType.named(type);
    ConfigurationValue value = new ConfigurationValue(of, array || declared, texts);
    try {
      value.value();
    } catch (IllegalArgumentException malformed) {
      throw json.bad("\"" + StrictJson.clip(property) + "\" has a value of another type");
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

  private void extensions() throws IOException, BadFeature {
    json.object(
        "extensions",
        key -> {
          if (key.equals("agent")) {
            json.object(key, this::extension);
          } else if (base) {
            json.skip();
          } else {
            throw json.unknown("extensions." + key);
          }
        });
  }

  private void extension(String key) throws IOException, BadFeature {
    switch (key) {
      case "kind", "type" -> json.text(key);
      case "json" -> {
        json.object(key, this::agent);
      }
      default -> throw json.unknown("extensions.agent." + key);
    }
  }

  private void agent(String key) throws IOException, BadFeature {
    switch (key) {
      case "programs" -> {
        programs = json.texts(key);
        for (String program : programs) {
          if (!PROGRAMS.contains(program)) {
            throw json.bad(
                "\""
                    + StrictJson.clip(program)
                    + "\" is not a program; allowed: agent, hub, sandbox");
          }
        }
      }
      case "requires" -> requires = json.texts(key);
      case "enabled" -> {
        enabled = json.bool(key);
      }
      default -> {
        if (!base) {
          throw json.unknown("extensions.agent.json." + key);
        }
        json.skip();
      }
    }
  }
}
