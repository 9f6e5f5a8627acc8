package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Finds what a name stands for: our own key, or a name of the existing agent. Our own names win.
 * Immutable.
 */
final class SettingLookup {
  /**
   * What a name stands for.
   *
   * @param setting our setting; null if the name is known and has no effect here
   * @param conversion how its value becomes ours
   * @param own whether the name is our own
   */
  record Target(Setting setting, Conversion conversion, boolean own) {
    boolean effective() {
      return setting != null;
    }
  }

  private final SettingRegistry registry;
  private final TreeMap<String, Target> keys = new TreeMap<>();
  private final List<String> open = new ArrayList<>();
  private final Map<String, Target> environment = new HashMap<>();
  private final Map<String, Target> flags = new HashMap<>();

  SettingLookup(SettingRegistry registry, Aliases aliases) {
    this.registry = registry;
    for (Setting setting : registry.all()) {
      Target own = new Target(setting, Conversion.NONE, true);
      keys.put(setting.normalKey(), own);
      setting.environment().forEach(name -> environment.put(name, own));
    }
    for (Alias alias : aliases.all()) {
      add(alias);
    }
  }

  private void add(Alias alias) {
    Target target =
        new Target(
            alias.target().isEmpty() ? null : registry.find(alias.target()).orElse(null),
            alias.conversion(),
            false);
    for (String key : alias.keys()) {
      if (key.endsWith("*")) {
        open.add(Keys.normal(key.substring(0, key.length() - 1)));
      } else {
        keys.putIfAbsent(Keys.normal(key), target);
        // The existing agent takes every key that has a default from such a variable too.
        environment.putIfAbsent(Keys.environment(key), target);
      }
    }
    alias.environment().forEach(name -> environment.putIfAbsent(name, target));
    alias.flags().forEach(name -> flags.putIfAbsent(name, target));
  }

  Optional<Target> key(String key) {
    String normal = Keys.normal(key);
    Target target = keys.get(normal);
    if (target == null && open.stream().anyMatch(normal::startsWith)) {
      target = new Target(null, Conversion.NONE, false);
    }
    return Optional.ofNullable(target);
  }

  /** The setting of several values that an item's key lies in, such as link.labels.zone. */
  Optional<Target> mapAbove(String key) {
    int dot = key.lastIndexOf('.');
    while (dot > 0) {
      Target target = keys.get(Keys.normal(key.substring(0, dot)));
      if (target != null && target.effective() && target.setting().multiple()) {
        return Optional.of(target);
      }
      dot = key.lastIndexOf('.', dot - 1);
    }
    return Optional.empty();
  }

  /** Whether there are known keys below this one. */
  boolean section(String key) {
    String prefix = Keys.normal(key) + ".";
    String next = keys.ceilingKey(prefix);
    return (next != null && next.startsWith(prefix))
        || open.stream().anyMatch(o -> o.startsWith(prefix));
  }

  Optional<Target> environment(String name) {
    return Optional.ofNullable(environment.get(name));
  }

  Optional<Target> flag(String name) {
    return Optional.ofNullable(flags.get(name));
  }

  String nearestKey(String key) {
    String own = Keys.nearest(key, registry.all().stream().map(Setting::key).toList());
    if (own.isEmpty()) {
      own = Keys.nearest(key, sections());
    }
    return own.isEmpty() ? Keys.nearest(key, keys.keySet()) : own;
  }

  private Set<String> sections() {
    Set<String> sections = new TreeSet<>();
    for (Setting setting : registry.all()) {
      String key = setting.key();
      for (int dot = key.indexOf('.'); dot > 0; dot = key.indexOf('.', dot + 1)) {
        sections.add(key.substring(0, dot));
      }
    }
    return sections;
  }

  String nearestEnvironment(String name) {
    return Keys.nearest(name, environment.keySet());
  }

  String nearestFlag(String name) {
    return Keys.nearest(name, flags.keySet());
  }
}
