package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What is in force, without what is at its default: a configuration holds only values that somebody
 * gave, so that two versions of a component each keep their own defaults. Immutable.
 */
public final class EffectiveSettings {
  /**
   * One value in force.
   *
   * @param setting what it is the value of
   * @param value the typed value, an array if the setting takes several
   * @param texts the value as text
   * @param source where it comes from
   */
  public record Value(Setting setting, Object value, List<String> texts, String source) {}

  private final SortedMap<String, Value> byKey;

  EffectiveSettings(SortedMap<String, Value> byKey) {
    this.byKey = new TreeMap<>(byKey);
  }

  /** Nothing but defaults. */
  public static EffectiveSettings none() {
    return new EffectiveSettings(new TreeMap<>());
  }

  /** The properties that a configuration gets. */
  public Map<String, Object> properties(String pid) {
    Map<String, Object> properties = new LinkedHashMap<>();
    for (Value value : byKey.values()) {
      if (value.setting().pid().equals(pid)) {
        properties.put(value.setting().attribute(), value.value());
      }
    }
    return properties;
  }

  /** The value of a setting, if somebody gave one. */
  public Optional<Object> value(String key) {
    return Optional.ofNullable(byKey.get(Keys.normal(key))).map(Value::value);
  }

  /** Whether a feature was switched on or off by somebody. */
  public Optional<Boolean> enabled(String feature) {
    return value("features." + feature + ".enabled").map(Boolean.class::cast);
  }

  /** How many settings somebody gave. */
  public int size() {
    return byKey.size();
  }

  /** A line for each value, as it may be shown in a log. */
  public List<String> masked() {
    List<String> lines = new ArrayList<>();
    for (Value value : byKey.values()) {
      boolean secret = value.setting().secret();
      List<String> shown = value.texts().stream().map(t -> Findings.shown(secret, t)).toList();
      lines.add(
          value.setting().key()
              + "="
              + (value.setting().multiple() ? shown.toString() : String.join("", shown)));
    }
    return lines;
  }
}
