package io.pipeops.agent.provision;

import java.nio.file.Path;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * What the launcher tells.
 *
 * @param home folder of the program, with {@code bundles} and {@code features}
 * @param program agent, hub or sandbox
 * @param validate whether to check only
 * @param settingsFile the settings file; null if there is none
 * @param featuresDir folder of feature files
 * @param runDir private folder of this process
 * @param flags the command line as lines of key=value
 * @param variables the environment
 */
record Environment(
    Path home,
    String program,
    boolean validate,
    Path settingsFile,
    Path featuresDir,
    Path runDir,
    String flags,
    Map<String, String> variables) {
  /** Reads the framework's properties. */
  static Environment of(UnaryOperator<String> properties, Map<String, String> variables) {
    Path home = Path.of(text(properties, "agent.home", "."));
    String settings = text(properties, "agent.settings.file", "");
    return new Environment(
        home,
        text(properties, "agent.program", "agent"),
        text(properties, "agent.mode", "run").equals("validate"),
        settings.isEmpty() ? null : Path.of(settings),
        Path.of(text(properties, "agent.features.dir", home.resolve("features").toString())),
        Path.of(text(properties, "agent.run.dir", System.getProperty("java.io.tmpdir"))),
        text(properties, "agent.flags", ""),
        variables);
  }

  Path bundlesDir() {
    return home.resolve("bundles");
  }

  private static String text(UnaryOperator<String> properties, String name, String otherwise) {
    String value = properties.apply(name);
    return value == null || value.isBlank() ? otherwise : value;
  }
}
