package io.pipeops.agent.link;

import java.io.IOException;

/** A setting or a file it names is wrong. The message is for the operator and holds no secret. */
final class ConfigurationException extends IOException {
  private static final long serialVersionUID = 1L;

  ConfigurationException(String message) {
    super(message);
  }

  ConfigurationException(String message, Throwable cause) {
    super(message, cause);
  }
}
