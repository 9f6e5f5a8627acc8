package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Reads the settings that environment variables give. */
final class EnvironmentSettings {
  private static final Pattern OURS = Pattern.compile("(PIPEOPS|AGENT|HUB)_.*");

  /** What the start script reads, before there are settings. */
  private static final Set<String> OF_THE_SCRIPT =
      Set.of("PIPEOPS_MEMORY_PROFILE", "PIPEOPS_JAVA_OPTIONS");

  /** What Kubernetes puts into a container for a Service that happens to be called like us. */
  private static final Pattern SERVICE_LINK =
      Pattern.compile(
          ".*_SERVICE_HOST|.*_SERVICE_PORT(_.*)?|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?");

  private static final Pattern SERVICE_ADDRESS = Pattern.compile("(tcp|udp|sctp)://.*");

  private EnvironmentSettings() {}

  /** What the variables give. An empty variable gives nothing, as for the existing agent. */
  static List<Given> read(
      Map<String, String> environment, SettingLookup lookup, Findings findings) {
    Map<String, Given> given = new HashMap<>();
    for (Map.Entry<String, String> variable : new TreeMap<>(environment).entrySet()) {
      String name = variable.getKey();
      String value = variable.getValue();
      if (value.isEmpty() || SERVICE_ADDRESS.matcher(value).matches()) {
        continue;
      }
      SettingLookup.Target target = lookup.environment(name).orElse(null);
      if (target == null) {
        unknown(name, lookup, findings);
      } else if (!target.effective()) {
        findings.withoutEffect(name, "environment variable " + name);
      } else {
        Given one = given(name, target, value);
        given.merge(target.setting().normalKey(), one, (a, b) -> choose(a, b, findings));
      }
    }
    return new ArrayList<>(given.values());
  }

  private static Given given(String name, SettingLookup.Target target, String value) {
    return new Given(
        name,
        target,
        target.setting().multiple() ? Lists.split(value) : List.of(value),
        "environment variable " + name);
  }

  /** Of two names for one setting our own counts, otherwise the first in the alphabet. */
  private static Given choose(Given first, Given second, Findings findings) {
    Given chosen = second.target().own() && !first.target().own() ? second : first;
    Given other = chosen.equals(first) ? second : first;
    if (!chosen.values().equals(other.values())) {
      findings.warning(
          other.source(), "has another value than %s, which counts".formatted(chosen.source()));
    }
    return chosen;
  }

  private static void unknown(String name, SettingLookup lookup, Findings findings) {
    if (!OURS.matcher(name).matches()
        || SERVICE_LINK.matcher(name).matches()
        || OF_THE_SCRIPT.contains(name)) {
      return;
    }
    String nearest = lookup.nearestEnvironment(name);
    findings.warning(
        "environment variable " + name,
        "unknown, ignored" + (nearest.isEmpty() ? "" : "; did you mean " + nearest + "?"));
  }
}
