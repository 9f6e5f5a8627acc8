package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * The names that the existing agent has for one of our settings.
 *
 * @param keys keys of its configuration file
 * @param environment its environment variables
 * @param flags its flags, with dashes
 */
public record OtherNames(List<String> keys, List<String> environment, List<String> flags) {
  /** Finds the names of a setting. */
  public static OtherNames of(Setting setting, Aliases aliases) {
    List<String> keys = new ArrayList<>();
    TreeSet<String> environment = new TreeSet<>();
    List<String> flags = new ArrayList<>();
    for (Alias alias : aliases.all()) {
      if (Keys.normal(alias.target()).equals(setting.normalKey())) {
        keys.addAll(alias.keys());
        environment.addAll(alias.environment());
        alias.keys().forEach(k -> environment.add(Keys.environment(k)));
        alias.flags().forEach(f -> flags.add("--" + f));
      }
    }
    environment.removeAll(setting.environment());
    return new OtherNames(keys, List.copyOf(environment), flags);
  }
}
