package io.pipeops.agent.provision.settings;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** All settings there are, by key. Immutable. */
public final class SettingRegistry {
  private final Map<String, Setting> byKey = new TreeMap<>();

  /** Of two settings with one key the later one counts. */
  public SettingRegistry(Collection<Setting> settings) {
    for (Setting setting : settings) {
      byKey.put(setting.normalKey(), setting);
    }
  }

  /** Finds a setting by its key, in any spelling. */
  public Optional<Setting> find(String key) {
    return Optional.ofNullable(byKey.get(Keys.normal(key)));
  }

  /** All settings, sorted by key. */
  public List<Setting> all() {
    return List.copyOf(byKey.values());
  }

  /** The setting that is a property of a configuration. */
  Optional<Setting> property(String pid, String attribute) {
    return find(Keys.display(pid, attribute))
        .filter(s -> s.pid().equals(pid) && s.attribute().equals(attribute));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SettingRegistry registry && registry.byKey.equals(byKey);
  }

  @Override
  public int hashCode() {
    return byKey.hashCode();
  }
}
