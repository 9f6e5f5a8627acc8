package io.pipeops.agent.provision.settings;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * One setting as its bundle declares it.
 *
 * @param pid configuration that it belongs to
 * @param attribute the configuration's property
 * @param type type of one value
 * @param multiple whether it takes several values
 * @param defaults the values it has if nobody sets it
 * @param min least value; empty if there is none
 * @param max greatest value; empty if there is none
 * @param options the only values; empty if all are allowed
 * @param description one sentence for the manual
 */
public record Setting(
    String pid,
    String attribute,
    SettingType type,
    boolean multiple,
    List<String> defaults,
    String min,
    String max,
    List<String> options,
    String description) {
  /** PID of the switches {@code features.<name>.enabled}; no bundle has it. */
  public static final String FEATURES_PID = "io.pipeops.agent.features";

  private static final Pattern SECRET = Pattern.compile("token|password|secret|credential");
  private static final Pattern NOT_SECRET =
      Pattern.compile(".*(file|path|name|namespace|seconds|millis|hours|url|enabled)");
  private static final Pattern PLACEHOLDER =
      Pattern.compile(
          "your[-_ ].*|.*(token|secret|password|key)[-_ ]?here.*|<.*>|\\$\\{.*}|\\{\\{.*}}"
              + "|change[-_ ]?(me|this)|replace[-_ ]?(me|this).*|x{3,}|\\*{3,}|todo|placeholder",
          Pattern.CASE_INSENSITIVE);

  public Setting {
    defaults = List.copyOf(defaults);
    options = List.copyOf(options);
  }

  /** The switch of a feature. */
  public static Setting featureSwitch(String feature, boolean enabled) {
    return new Setting(
        FEATURES_PID,
        feature + ".enabled",
        SettingType.BOOLEAN,
        false,
        List.of(Boolean.toString(enabled)),
        "",
        "",
        List.of(),
        "Whether the feature " + feature + " runs; switched off it is not installed");
  }

  /** The key as the manual writes it. */
  public String key() {
    return pid.equals(FEATURES_PID) ? "features." + attribute : Keys.display(pid, attribute);
  }

  /** The key in the form that is compared. */
  public String normalKey() {
    return Keys.normal(key());
  }

  /** Its environment variables; the first is the one to recommend. */
  public List<String> environment() {
    String name = Keys.environment(key());
    return key().startsWith("hub.") ? List.of(name, "AGENT_" + name) : List.of("AGENT_" + name);
  }

  /** Whether its value must never be shown. */
  public boolean secret() {
    return type == SettingType.PASSWORD || secretName(attribute);
  }

  /** Whether a key speaks of a secret rather than of where one lies. */
  static boolean secretName(String key) {
    String name = key.toLowerCase(Locale.ROOT);
    return SECRET.matcher(name).find() && !NOT_SECRET.matcher(name).matches();
  }

  /** What may be given, as a phrase. */
  public String allowed() {
    if (!options.isEmpty()) {
      return (multiple ? "any of " : "") + String.join(", ", options);
    }
    String each = type.form() + range();
    return multiple ? "a list, each " + each : each;
  }

  /** The range as a phrase with a leading blank; empty if there is none. */
  public String range() {
    if (!type.numeric()) {
      return "";
    }
    if (!min.isEmpty() && !max.isEmpty()) {
      return " from " + min + " to " + max;
    }
    if (!min.isEmpty()) {
      return " of at least " + min;
    }
    return max.isEmpty() ? "" : " of at most " + max;
  }

  /**
   * The value for the configuration.
   *
   * @throws IllegalArgumentException with a reason that can be shown, if a text is not allowed
   */
  public Object value(List<String> texts) {
    if (!multiple) {
      if (texts.size() != 1) {
        throw new IllegalArgumentException("takes one value, not a list");
      }
      return single(texts.get(0));
    }
    Object array = Array.newInstance(type.boxed(), texts.size());
    for (int i = 0; i < texts.size(); i++) {
      Array.set(array, i, single(texts.get(i)));
    }
    return array;
  }

  private Object single(String given) {
    String text =
        type == SettingType.STRING || type == SettingType.PASSWORD ? given : given.strip();
    if (!options.isEmpty()) {
      return type.parse(option(text));
    }
    if (type == SettingType.PASSWORD && PLACEHOLDER.matcher(text.strip()).matches()) {
      throw new IllegalArgumentException("is a placeholder; put the real value there");
    }
    Object value;
    try {
      value = type.parse(text);
    } catch (IllegalArgumentException malformed) {
      throw new IllegalArgumentException("is not allowed", malformed);
    }
    if (type.numeric()) {
      within(text);
    }
    return value;
  }

  /** The option in its own spelling; case is ignored, since the existing agent ignores it too. */
  private String option(String text) {
    for (String option : options) {
      if (option.equalsIgnoreCase(text.strip())) {
        return option;
      }
    }
    throw new IllegalArgumentException("is not allowed");
  }

  /** The number in the range that is nearest to the given one. */
  String clamp(String number) {
    BigDecimal value = new BigDecimal(number);
    if (!min.isEmpty() && value.compareTo(new BigDecimal(min)) < 0) {
      return min;
    }
    return !max.isEmpty() && value.compareTo(new BigDecimal(max)) > 0 ? max : number;
  }

  private void within(String text) {
    BigDecimal value = new BigDecimal(text);
    if ((!min.isEmpty() && value.compareTo(new BigDecimal(min)) < 0)
        || (!max.isEmpty() && value.compareTo(new BigDecimal(max)) > 0)) {
      throw new IllegalArgumentException("is out of range");
    }
  }
}
