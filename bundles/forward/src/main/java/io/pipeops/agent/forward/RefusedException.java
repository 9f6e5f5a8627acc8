package io.pipeops.agent.forward;

import java.io.IOException;

/** A connection is not made, or is ended, for this reason. */
final class RefusedException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What kind of reason it is; the value of a metric's label. */
  enum Reason {
    /** The target is not valid, or must not be reached. */
    TARGET,
    /** Too many are open, or this bundle is being stopped. */
    LIMIT,
    /** The target cannot be reached. */
    CONNECT;

    String label() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  private final Reason reason;

  RefusedException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  Reason reason() {
    return reason;
  }
}
