package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleJar;
import io.pipeops.agent.provision.features.Candidate;
import io.pipeops.agent.provision.features.ConfigurationValue;
import io.pipeops.agent.provision.settings.EffectiveSettings;
import io.pipeops.agent.provision.settings.Setting;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Which configurations there have to be: one for each PID of a bundle that is there, also when all
 * is at its default, because components wait for theirs.
 */
final class ConfigurationPlan {
  private final Set<String> basePids = new TreeSet<>();
  private final Map<String, Map<String, ConfigurationValue>> base;

  /**
   * Plans for a base.
   *
   * @param installed symbolic names of the bundles of the base that this program has
   */
  ConfigurationPlan(BaseBundles bundles, Set<String> installed) {
    base = bundles.configurations();
    basePids.addAll(base.keySet());
    for (BundleJar jar : bundles.jars()) {
      if (installed.contains(jar.symbolicName())) {
        jar.settings().forEach(s -> basePids.add(s.pid()));
      }
    }
  }

  /**
   * The configurations.
   *
   * @param features features that are there or about to be; later ones override earlier ones
   * @param effective gives what is in force over values of feature files
   */
  Map<String, Map<String, Object>> of(
      Collection<Candidate> features,
      Function<Map<String, Map<String, List<String>>>, EffectiveSettings> effective) {
    Map<String, Map<String, ConfigurationValue>> given = new HashMap<>();
    merge(base, given);
    Set<String> pids = new TreeSet<>(basePids);
    for (Candidate feature : features) {
      merge(feature.file().configurations(), given);
      for (Candidate.Jar jar : feature.jars()) {
        jar.content().settings().stream().map(Setting::pid).forEach(pids::add);
      }
    }
    pids.addAll(given.keySet());
    EffectiveSettings settings = effective.apply(texts(given));
    Map<String, Map<String, Object>> all = new TreeMap<>();
    for (String pid : pids) {
      Map<String, Object> properties = new TreeMap<>();
      given.getOrDefault(pid, Map.of()).forEach((k, v) -> properties.put(k, v.value()));
      properties.putAll(settings.properties(pid));
      all.put(pid, properties);
    }
    return all;
  }

  private static void merge(
      Map<String, Map<String, ConfigurationValue>> from,
      Map<String, Map<String, ConfigurationValue>> into) {
    from.forEach((pid, values) -> into.computeIfAbsent(pid, p -> new TreeMap<>()).putAll(values));
  }

  private static Map<String, Map<String, List<String>>> texts(
      Map<String, Map<String, ConfigurationValue>> given) {
    Map<String, Map<String, List<String>>> texts = new HashMap<>();
    given.forEach(
        (pid, values) -> {
          Map<String, List<String>> own = new HashMap<>();
          values.forEach((name, value) -> own.put(name, value.texts()));
          texts.put(pid, own);
        });
    return texts;
  }
}
