package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.List;

/** Reads the settings that a YAML file gives. */
final class SettingsFile {
  private final String name;
  private final SettingLookup lookup;
  private final Findings findings;
  private final List<Given> given = new ArrayList<>();

  private SettingsFile(String name, SettingLookup lookup, Findings findings) {
    this.name = name;
    this.lookup = lookup;
    this.findings = findings;
  }

  /** What the text gives; whatever is wrong with it is among the findings. */
  static List<Given> read(String name, String text, SettingLookup lookup, Findings findings) {
    SettingsFile file = new SettingsFile(name, lookup, findings);
    try {
      file.section("", YamlTree.read(text));
    } catch (YamlTree.BadYaml malformed) {
      findings.problem(name + ":" + malformed.line(), malformed.getMessage());
    }
    return file.given;
  }

  private void section(String path, YamlNode.Mapping mapping) {
    for (YamlNode.Entry entry : mapping.entries()) {
      String key = path.isEmpty() ? entry.key() : path + "." + entry.key();
      entry(key, entry);
    }
  }

  private void entry(String key, YamlNode.Entry entry) {
    String source = name + ":" + entry.line();
    SettingLookup.Target target = lookup.key(key).orElse(null);
    if (target != null && !target.effective()) {
      findings.withoutEffect(key, source);
    } else if (target != null) {
      values(key, target, entry.value(), source);
    } else if (lookup.mapAbove(key).isPresent()) {
      item(key, lookup.mapAbove(key).get(), entry.value(), source);
    } else if (entry.value() instanceof YamlNode.Mapping inner && lookup.section(key)) {
      section(key, inner);
    } else if (!(absent(entry.value()) && lookup.section(key))) {
      unknown(key, entry.value(), source);
    }
  }

  private static boolean absent(YamlNode node) {
    return node instanceof YamlNode.Scalar scalar && scalar.absent();
  }

  private void values(String key, SettingLookup.Target target, YamlNode node, String source) {
    boolean multiple = target.setting().multiple();
    if (absent(node)) {
      // A key without a value is as good as none.
      return;
    }
    if (node instanceof YamlNode.Scalar scalar) {
      add(key, target, multiple ? Lists.split(scalar.text()) : List.of(scalar.text()), source);
    } else if (multiple && node instanceof YamlNode.Sequence sequence) {
      list(key, target, sequence, source);
    } else if (multiple && node instanceof YamlNode.Mapping mapping) {
      map(key, target, mapping, source);
    } else {
      findings.problem(
          source, target.setting().key() + " takes one value: " + target.setting().allowed());
    }
  }

  private void list(
      String key, SettingLookup.Target target, YamlNode.Sequence sequence, String source) {
    List<String> items = new ArrayList<>();
    for (YamlNode item : sequence.items()) {
      if (item instanceof YamlNode.Scalar scalar) {
        items.add(scalar.text());
      } else {
        findings.problem(
            name + ":" + item.line(), target.setting().key() + " takes a list of plain values");
        return;
      }
    }
    add(key, target, items, source);
  }

  private void map(
      String key, SettingLookup.Target target, YamlNode.Mapping mapping, String source) {
    List<String> items = new ArrayList<>();
    for (YamlNode.Entry entry : mapping.entries()) {
      if (entry.value() instanceof YamlNode.Scalar scalar) {
        items.add(entry.key() + "=" + (scalar.absent() ? "" : scalar.text()));
      } else {
        findings.problem(
            name + ":" + entry.line(), target.setting().key() + " takes keys with plain values");
        return;
      }
    }
    add(key, target, items, source);
  }

  /** An item of a map that is written as a key of its own: link.labels.zone: eu. */
  private void item(String key, SettingLookup.Target target, YamlNode node, String source) {
    int depth = (int) target.setting().normalKey().chars().filter(c -> c == '.').count() + 1;
    if (!target.own() || !(node instanceof YamlNode.Scalar scalar)) {
      unknown(key, node, source);
      return;
    }
    int start = 0;
    for (int i = 0, seen = 0; i < key.length() && seen < depth; i++) {
      if (".-_".indexOf(key.charAt(i)) >= 0) {
        seen++;
        start = i + 1;
      }
    }
    String item = key.substring(start) + "=" + (scalar.absent() ? "" : scalar.text());
    for (int i = 0; i < given.size(); i++) {
      Given earlier = given.get(i);
      if (earlier.target().equals(target)) {
        List<String> items = new ArrayList<>(earlier.values());
        items.add(item);
        given.set(i, new Given(earlier.key(), target, items, earlier.source()));
        return;
      }
    }
    add(target.setting().key(), target, List.of(item), source);
  }

  private void add(String key, SettingLookup.Target target, List<String> values, String source) {
    for (Given earlier : given) {
      if (earlier.target().setting().key().equals(target.setting().key())) {
        findings.problem(
            source,
            "\"%s\" sets %s, which \"%s\" sets already (%s)"
                .formatted(key, target.setting().key(), earlier.key(), earlier.source()));
        return;
      }
    }
    given.add(new Given(key, target, values, source));
  }

  private void unknown(String key, YamlNode node, String source) {
    if (lookup.section(key)) {
      findings.problem(
          source, "\"" + Findings.shown(false, key) + "\" is a section and needs keys below it");
      return;
    }
    String value =
        node instanceof YamlNode.Scalar scalar && !scalar.absent()
            ? " (value \"" + Findings.shown(Setting.secretName(key), scalar.text()) + "\")"
            : "";
    String nearest = lookup.nearestKey(key);
    findings.problem(
        source,
        "unknown key \"%s\"%s%s"
            .formatted(
                Findings.shown(false, key),
                value,
                nearest.isEmpty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
}
