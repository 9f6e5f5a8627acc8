package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.List;

/** What reading the settings brought to light, a line for each. */
final class Findings {
  /** More problems than this help nobody. */
  private static final int LIMIT = 100;

  private static final int SHOWN = 80;

  final List<String> problems = new ArrayList<>();
  final List<String> warnings = new ArrayList<>();
  final List<String> withoutEffect = new ArrayList<>();

  void problem(String source, String text) {
    if (problems.size() < LIMIT) {
      problems.add(source + ": " + text);
    }
  }

  void warning(String source, String text) {
    if (warnings.size() < LIMIT) {
      warnings.add(source + ": " + text);
    }
  }

  void withoutEffect(String name, String source) {
    if (withoutEffect.size() < LIMIT) {
      withoutEffect.add(source.contains(name) ? name : name + " (" + source + ")");
    }
  }

  /** A value as it may be shown. */
  static String shown(boolean secret, String value) {
    if (secret) {
      return "***";
    }
    String line = value.replaceAll("\\p{Cntrl}", " ").replaceAll("//[^/@\\s]*@", "//***@");
    return line.length() > SHOWN ? line.substring(0, SHOWN) + "…" : line;
  }
}
