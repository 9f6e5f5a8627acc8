package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleJar;
import io.pipeops.agent.provision.features.Candidate;
import io.pipeops.agent.provision.features.ConfigurationValue;
import io.pipeops.agent.provision.features.FolderContent;
import io.pipeops.agent.provision.settings.Setting;
import io.pipeops.agent.provision.settings.SettingRegistry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All settings that were ever known to this process. A setting stays known when its feature's file
 * is taken out of the folder, so that this cannot make a good settings file bad. Used by one
 * thread.
 */
final class KnownSettings {
  private final Map<String, Setting> known = new LinkedHashMap<>();
  private SettingRegistry registry = new SettingRegistry(List.of());

  KnownSettings(List<BundleJar> base) {
    base.forEach(this::add);
    freeze();
  }

  /**
   * Adds what the folder brings.
   *
   * @return whether there is anything new
   */
  boolean learn(FolderContent content) {
    List<Candidate> candidates = new ArrayList<>(content.candidates());
    candidates.sort((a, b) -> a.file().order().compareTo(b.file().order()));
    for (Candidate candidate : candidates) {
      put(Setting.featureSwitch(candidate.name(), candidate.file().enabled()));
      candidate.jars().forEach(j -> add(j.content()));
    }
    for (FolderContent.Broken broken : content.broken()) {
      Setting toggle = Setting.featureSwitch(broken.name(), true);
      known.putIfAbsent(toggle.normalKey(), toggle);
    }
    return freeze();
  }

  /** Adds a jar of which it is not clear whose it is. */
  void add(BundleJar jar) {
    jar.settings().forEach(this::put);
  }

  boolean freeze() {
    SettingRegistry next = new SettingRegistry(known.values());
    boolean changed = !next.equals(registry);
    registry = next;
    return changed;
  }

  private void put(Setting setting) {
    known.put(setting.normalKey(), setting);
  }

  SettingRegistry registry() {
    return registry;
  }

  /** What is wrong with the values that a feature file gives; empty if nothing. */
  String problem(Candidate candidate) {
    for (Map.Entry<String, Map<String, ConfigurationValue>> configuration :
        candidate.file().configurations().entrySet()) {
      for (Map.Entry<String, ConfigurationValue> value : configuration.getValue().entrySet()) {
        Setting setting = setting(configuration.getKey(), value.getKey());
        if (setting != null) {
          try {
            setting.value(value.getValue().texts());
          } catch (IllegalArgumentException refused) {
            return "%s: the value of %s %s; allowed: %s"
                .formatted(
                    candidate.source().getFileName(),
                    setting.key(),
                    refused.getMessage(),
                    setting.allowed());
          }
        }
      }
    }
    return "";
  }

  private Setting setting(String pid, String attribute) {
    for (Setting setting : known.values()) {
      if (setting.pid().equals(pid) && setting.attribute().equals(attribute)) {
        return setting;
      }
    }
    return null;
  }
}
