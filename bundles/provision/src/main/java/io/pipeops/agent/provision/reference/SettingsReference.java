package io.pipeops.agent.provision.reference;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.pipeops.agent.provision.features.BadFeature;
import io.pipeops.agent.provision.features.BundleDigest;
import io.pipeops.agent.provision.features.BundleJar;
import io.pipeops.agent.provision.features.FeatureFile;
import io.pipeops.agent.provision.features.FeatureFileReader;
import io.pipeops.agent.provision.settings.Aliases;
import io.pipeops.agent.provision.settings.OtherNames;
import io.pipeops.agent.provision.settings.Setting;
import io.pipeops.agent.provision.settings.SettingRegistry;
import io.pipeops.agent.provision.settings.SettingType;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Renders every setting there is as Markdown and as JSON schema. Run by the build:
 *
 * <pre>SettingsReference &lt;bundlesDir&gt; &lt;featuresDir&gt; &lt;out.md&gt; [out.schema.json]
 * </pre>
 */
public final class SettingsReference {
  private final List<Setting> settings;
  private final Aliases aliases = Aliases.load();

  SettingsReference(List<Setting> settings) {
    this.settings = new SettingRegistry(settings).all();
  }

  /** Writes both files; the schema beside the Markdown unless it has a place of its own. */
  public static void main(String[] args) throws IOException {
    if (args.length < 3 || args.length > 4) {
      throw new IllegalArgumentException(
          "needs: bundles folder, features folder, Markdown file [, schema file]");
    }
    SettingsReference reference =
        new SettingsReference(settings(Path.of(args[0]), Path.of(args[1])));
    Path markdown = Path.of(args[2]);
    Path schema =
        args.length == 4
            ? Path.of(args[3])
            : Path.of(args[2].replaceFirst("\\.md$", "") + ".schema.json");
    Files.writeString(markdown, reference.markdown());
    Files.writeString(schema, reference.schema());
  }

  /** The settings of all bundles in a folder and the switches of all features in another. */
  static List<Setting> settings(Path bundles, Path features) throws IOException {
    List<Setting> all = new ArrayList<>();
    for (Path jar : sorted(bundles, "*.jar")) {
      all.addAll(BundleJar.read(jar).settings());
    }
    for (Path file : sorted(features, "*.json")) {
      if (!file.getFileName().toString().startsWith("base")) {
        try {
          FeatureFile feature =
              // Read like the base's, because a source tree has no digests yet.
              FeatureFileReader.readBase(
                  file.getFileName().toString(),
                  BundleDigest.bounded(file, FeatureFileReader.MAX_BYTES));
          all.add(Setting.featureSwitch(feature.name(), feature.enabled()));
        } catch (BadFeature malformed) {
          throw new IOException(malformed.getMessage(), malformed);
        }
      }
    }
    return all;
  }

  private static List<Path> sorted(Path folder, String pattern) throws IOException {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, pattern)) {
      all.forEach(files::add);
    }
    files.sort(null);
    return files;
  }

  private Map<String, List<Setting>> sections() {
    Map<String, List<Setting>> sections = new TreeMap<>();
    for (Setting setting : settings) {
      String key = setting.key();
      int end =
          setting.pid().equals(Setting.FEATURES_PID)
              ? key.indexOf('.')
              : key.length() - setting.attribute().length() - 1;
      sections.computeIfAbsent(key.substring(0, end), s -> new ArrayList<>()).add(setting);
    }
    return sections;
  }

  String markdown() {
    StringBuilder text = new StringBuilder();
    text.append("# Settings\n\n");
    text.append("Generated from the bundles; do not edit. A key stands in the settings file as\n");
    text.append("`section: {name: value}`; `.`, `_` and `-` are equal and case is ignored.\n");
    text.append("Precedence: default < feature file < settings file < environment < `--set`.\n");
    sections()
        .forEach(
            (section, members) -> {
              text.append("\n## ").append(section).append("\n\n");
              text.append("| Key | Type | Default | Meaning | Environment | Existing names |\n");
              text.append("|---|---|---|---|---|---|\n");
              members.forEach(setting -> row(setting, text));
            });
    return text.toString();
  }

  private void row(Setting setting, StringBuilder text) {
    OtherNames names = OtherNames.of(setting, aliases);
    List<String> others = new ArrayList<>();
    names.keys().forEach(k -> others.add("`" + k + "`"));
    names.environment().forEach(e -> others.add("`" + e + "`"));
    names.flags().forEach(f -> others.add("`" + f + "`"));
    text.append("| `")
        .append(setting.key())
        .append("` | ")
        .append(cell(type(setting)))
        .append(" | ")
        .append(defaults(setting))
        .append(" | ")
        .append(cell(setting.description()))
        .append(" | `")
        .append(setting.environment().get(0))
        .append("` | ")
        .append(String.join(", ", others))
        .append(" |\n");
  }

  private static String type(Setting setting) {
    return setting.type() == SettingType.PASSWORD
        ? setting.allowed() + " (secret)"
        : setting.allowed();
  }

  private static String defaults(Setting setting) {
    String value = String.join(", ", setting.defaults());
    return value.isEmpty() ? "" : "`" + cell(value) + "`";
  }

  private static String cell(String text) {
    return text.replace("|", "\\|").replaceAll("\\s+", " ");
  }

  String schema() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.setPrettyPrinter(new DefaultPrettyPrinter());
      json.writeStartObject();
      json.writeStringField("$schema", "https://json-schema.org/draft/2020-12/schema");
      json.writeStringField("title", "Settings of the agent");
      json.writeStringField("type", "object");
      json.writeObjectFieldStart("properties");
      Node root = new Node();
      settings.forEach(root::add);
      root.write(json);
      json.writeEndObject();
      json.writeEndObject();
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return text + "\n";
  }

  /** Sections within sections. */
  private static final class Node {
    private final Map<String, Node> inner = new TreeMap<>();
    private Setting setting;

    void add(Setting added) {
      String key = added.key();
      Node at = this;
      for (String part : key.split("\\.")) {
        at = at.inner.computeIfAbsent(part, p -> new Node());
      }
      at.setting = added;
    }

    void write(JsonGenerator json) throws IOException {
      for (Map.Entry<String, Node> entry : inner.entrySet()) {
        json.writeObjectFieldStart(entry.getKey());
        Node node = entry.getValue();
        if (node.setting != null) {
          property(json, node.setting);
        } else {
          json.writeStringField("type", "object");
          json.writeObjectFieldStart("properties");
          node.write(json);
          json.writeEndObject();
        }
        json.writeEndObject();
      }
    }
  }

  private static void property(JsonGenerator json, Setting setting) throws IOException {
    json.writeStringField("description", setting.description());
    if (setting.multiple()) {
      json.writeArrayFieldStart("type");
      json.writeString("array");
      json.writeString("object");
      json.writeString("string");
      json.writeEndArray();
      return;
    }
    json.writeStringField("type", jsonType(setting.type()));
    if (!setting.options().isEmpty()) {
      json.writeArrayFieldStart("enum");
      for (String option : setting.options()) {
        json.writeString(option);
      }
      json.writeEndArray();
    }
    number(json, "minimum", setting.min());
    number(json, "maximum", setting.max());
    if (!setting.defaults().isEmpty()) {
      json.writeFieldName("default");
      literal(json, setting.type(), setting.defaults().get(0));
    }
  }

  private static void number(JsonGenerator json, String name, String value) throws IOException {
    if (!value.isEmpty()) {
      json.writeFieldName(name);
      json.writeNumber(value);
    }
  }

  private static void literal(JsonGenerator json, SettingType type, String value)
      throws IOException {
    switch (jsonType(type)) {
      case "boolean" -> json.writeBoolean(Boolean.parseBoolean(value));
      case "integer", "number" -> json.writeNumber(value);
      default -> json.writeString(value);
    }
  }

  private static String jsonType(SettingType type) {
    return switch (type) {
      case BOOLEAN -> "boolean";
      case INTEGER, LONG, SHORT, BYTE -> "integer";
      case DOUBLE, FLOAT -> "number";
      default -> "string";
    };
  }
}
