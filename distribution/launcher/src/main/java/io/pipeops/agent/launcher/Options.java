package io.pipeops.agent.launcher;

import java.nio.file.Path;
import java.util.List;

/**
 * Where everything lies for one start.
 *
 * @param home the unpacked distribution, with {@code bundles/} and {@code features/}
 * @param program what to start
 * @param mode {@code run}, {@code safe} (platform only, no feature) or {@code validate}
 * @param settings the settings file; null if there is none
 * @param features folder of feature files
 * @param runDir private folder of this process: framework cache, addresses of what listens
 * @param flags lines {@code key=value} from the command line, for the settings registry
 */
record Options(
    Path home,
    Program program,
    String mode,
    Path settings,
    Path features,
    Path runDir,
    List<String> flags) {
  Options {
    flags = List.copyOf(flags);
  }

  /** Without the flags, which may hold a token. */
  @Override
  public String toString() {
    return "Options[home=%s, program=%s, mode=%s, settings=%s, features=%s, runDir=%s]"
        .formatted(home, program, mode, settings, features, runDir);
  }
}
