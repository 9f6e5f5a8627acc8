package io.pipeops.agent.provision.settings;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the settings that the command line gives. */
final class FlagSettings {
  private static final String LEGACY = "flag:";

  private FlagSettings() {}

  /**
   * What the flags give. Of a flag given twice the later one counts.
   *
   * @param lines {@code key=value} from {@code --set}, {@code flag:name=value} from a flag of the
   *     existing agent
   */
  static List<Given> read(String lines, SettingLookup lookup, Findings findings) {
    Map<String, Given> given = new LinkedHashMap<>();
    for (String line : lines.split("\\R")) {
      if (line.isBlank()) {
        continue;
      }
      int equals = line.indexOf('=');
      String key = (equals < 0 ? line : line.substring(0, equals)).strip();
      boolean legacy = key.startsWith(LEGACY);
      String name = legacy ? key.substring(LEGACY.length()) : key;
      String source = (legacy ? "flag --" : "flag --set ") + name;
      if (equals < 0) {
        findings.problem(source, "has no value; write key=value");
        continue;
      }
      SettingLookup.Target target = (legacy ? lookup.flag(name) : lookup.key(name)).orElse(null);
      String value = line.substring(equals + 1);
      if (target == null) {
        unknown(name, value, legacy, source, lookup, findings);
      } else if (!target.effective()) {
        findings.withoutEffect(legacy ? "--" + name : name, source);
      } else {
        List<String> values = target.setting().multiple() ? Lists.split(value) : List.of(value);
        given.put(target.setting().normalKey(), new Given(name, target, values, source));
      }
    }
    return List.copyOf(given.values());
  }

  private static void unknown(
      String name,
      String value,
      boolean legacy,
      String source,
      SettingLookup lookup,
      Findings findings) {
    String nearest = legacy ? lookup.nearestFlag(name) : lookup.nearestKey(name);
    findings.problem(
        source,
        "unknown %s \"%s\" (value \"%s\")%s"
            .formatted(
                legacy ? "flag" : "key",
                Findings.shown(false, name),
                Findings.shown(Setting.secretName(name), value),
                nearest.isEmpty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
}
