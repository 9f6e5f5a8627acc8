package io.pipeops.agent.provision.settings;

import java.util.Map;

/**
 * Everything that an operator can say.
 *
 * @param fileName how messages call the settings file
 * @param file its text; empty if there is none
 * @param environment the environment variables
 * @param flags the command line, as lines of key=value
 */
public record Sources(String fileName, String file, Map<String, String> environment, String flags) {
  public Sources {
    environment = Map.copyOf(environment);
  }

  /** The same with another file text. */
  public Sources withFile(String text) {
    return new Sources(fileName, text, environment, flags);
  }

  /** Shows no values: some of them are secrets. */
  @Override
  public String toString() {
    return "Sources[" + fileName + "]";
  }
}
