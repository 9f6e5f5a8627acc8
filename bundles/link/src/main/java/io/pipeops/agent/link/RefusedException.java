package io.pipeops.agent.link;

import java.io.IOException;

/** The peer answered, and the answer was no. The message tells why and holds no secret. */
final class RefusedException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int status;

  /**
   * A refusal.
   *
   * @param status the HTTP status of the upgrade, or 0 for a refused registration
   */
  RefusedException(int status, String message) {
    super(message);
    this.status = status;
  }

  /** Whether the token was not accepted. */
  boolean unauthorized() {
    return status == 401 || status == 403;
  }

  /** Whether the answer will not change by itself: anything but a fault of a server on the way. */
  boolean given() {
    return status < 500 && status != 429 && status != 408;
  }

  /** Whether another agent holds the identity. */
  boolean alreadyConnected() {
    return status == 409 || alreadyConnected(getMessage());
  }

  /** Whether a text of the peer says so. */
  static boolean alreadyConnected(String text) {
    return text.toLowerCase(java.util.Locale.ROOT).contains("already connected");
  }
}
