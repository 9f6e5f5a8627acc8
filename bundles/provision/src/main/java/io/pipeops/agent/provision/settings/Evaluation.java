package io.pipeops.agent.provision.settings;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The settings after one look at all sources. Only good as a whole: with problems there is no
 * telling what the operator meant, and nothing of it should be used.
 *
 * @param settings what is in force
 * @param problems one line for each mistake
 * @param warnings one line for each oddity
 * @param withoutEffect names of the existing agent that change nothing here
 */
public record Evaluation(
    EffectiveSettings settings,
    List<String> problems,
    List<String> warnings,
    List<String> withoutEffect) {
  private static final Set<String> SCHEMES = Set.of("http", "https", "ws", "wss");

  /** Whether there are no problems. */
  public boolean good() {
    return problems.isEmpty();
  }

  /**
   * Reads and checks everything.
   *
   * @param registry what there is
   * @param aliases other names for it
   * @param defaults values that feature files give, by PID and property
   * @param sources what the operator gives
   * @param required keys that need a value; several divided by {@code |} are alternatives
   */
  public static Evaluation of(
      SettingRegistry registry,
      Aliases aliases,
      Map<String, Map<String, List<String>>> defaults,
      Sources sources,
      List<String> required) {
    SettingLookup lookup = new SettingLookup(registry, aliases);
    Findings findings = new Findings();
    TreeMap<String, EffectiveSettings.Value> values = new TreeMap<>();
    defaults(registry, defaults, values, findings);
    List<List<Given>> layers = new ArrayList<>();
    layers.add(SettingsFile.read(sources.fileName(), sources.file(), lookup, findings));
    layers.add(EnvironmentSettings.read(sources.environment(), lookup, findings));
    layers.add(FlagSettings.read(sources.flags(), lookup, findings));
    for (List<Given> layer : layers) {
      for (Given given : layer) {
        check(given, values, findings);
      }
    }
    if (findings.problems.isEmpty()) {
      missing(registry, required, values, findings);
    }
    return new Evaluation(
        new EffectiveSettings(values),
        List.copyOf(findings.problems),
        List.copyOf(findings.warnings),
        List.copyOf(findings.withoutEffect));
  }

  private static void defaults(
      SettingRegistry registry,
      Map<String, Map<String, List<String>>> defaults,
      Map<String, EffectiveSettings.Value> values,
      Findings findings) {
    defaults.forEach(
        (pid, properties) ->
            properties.forEach(
                (attribute, texts) ->
                    registry
                        .property(pid, attribute)
                        .ifPresent(
                            setting -> put(setting, "feature file", texts, values, findings))));
  }

  private static void put(
      Setting setting,
      String source,
      List<String> texts,
      Map<String, EffectiveSettings.Value> values,
      Findings findings) {
    try {
      Object value = setting.value(texts);
      values.put(setting.normalKey(), new EffectiveSettings.Value(setting, value, texts, source));
    } catch (IllegalArgumentException refused) {
      findings.problem(source, refusal(setting.key(), setting, texts, refused));
    }
  }

  private static void check(
      Given given, Map<String, EffectiveSettings.Value> values, Findings findings) {
    Setting setting = given.target().setting();
    try {
      List<String> texts =
          given.values().stream().map(given.target().conversion()::convert).toList();
      if (given.target().conversion().time()) {
        texts = List.of(bounded(given, setting, texts.get(0), findings));
      }
      Object value = setting.value(texts);
      if (!setting.multiple()) {
        address(setting, texts.get(0));
      }
      values.put(
          setting.normalKey(), new EffectiveSettings.Value(setting, value, texts, given.source()));
    } catch (IllegalArgumentException refused) {
      findings.problem(given.source(), refusal(given.key(), setting, given.values(), refused));
    }
  }

  /** A time that the existing agent would take must not stop this one, only because it is odd. */
  private static String bounded(Given given, Setting setting, String time, Findings findings) {
    String used = setting.clamp(time);
    if (!used.equals(time)) {
      findings.warning(
          given.source(),
          "%s: \"%s\" is out of range, %s=%s is used"
              .formatted(given.key(), given.values().get(0), setting.key(), used));
    }
    return used;
  }

  private static String refusal(
      String key, Setting setting, List<String> texts, IllegalArgumentException refused) {
    boolean secret = setting.secret();
    String value = Findings.shown(secret, String.join(",", texts));
    String name =
        Keys.normal(key).equals(setting.normalKey())
            ? setting.key()
            : key + " (" + setting.key() + ")";
    return "%s: \"%s\" %s; allowed: %s"
        .formatted(name, value, refused.getMessage(), setting.allowed());
  }

  /** Metatype has no type for addresses, so the name tells. */
  private static void address(Setting setting, String text) {
    String name = setting.attribute();
    boolean address = name.equals("url") || name.endsWith(".url");
    if (text.isEmpty() || !address || text.startsWith("jdbc:")) {
      return;
    }
    try {
      URI uri = new URI(text.strip());
      if (uri.getScheme() != null && SCHEMES.contains(uri.getScheme()) && uri.getHost() != null) {
        return;
      }
    } catch (URISyntaxException malformed) {
      // Refused below.
    }
    throw new IllegalArgumentException(
        "is not an address such as https://api.example.com (http, https, ws or wss)");
  }

  private static void missing(
      SettingRegistry registry,
      List<String> required,
      Map<String, EffectiveSettings.Value> values,
      Findings findings) {
    for (String alternatives : required) {
      List<String> keys = List.of(alternatives.split("\\|"));
      boolean known = keys.stream().allMatch(k -> registry.find(k).isPresent());
      if (known && keys.stream().noneMatch(k -> filled(values.get(Keys.normal(k))))) {
        Setting first = registry.find(keys.get(0)).orElseThrow();
        findings.problem(
            "settings",
            "%s is required and not set; give it in the settings file, as %s or with --set %s=…"
                .formatted(String.join(" or ", keys), first.environment().get(0), first.key()));
      }
    }
  }

  private static boolean filled(EffectiveSettings.Value value) {
    return value != null && value.texts().stream().anyMatch(t -> !t.isBlank());
  }
}
