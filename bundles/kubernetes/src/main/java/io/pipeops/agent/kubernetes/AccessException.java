package io.pipeops.agent.kubernetes;

import java.io.IOException;

/** The place or the credentials of the API server cannot be used; the message says why. */
final class AccessException extends IOException {
  private static final long serialVersionUID = 1L;

  AccessException(String message) {
    super(message);
  }

  AccessException(String message, Throwable cause) {
    super(message, cause);
  }
}
