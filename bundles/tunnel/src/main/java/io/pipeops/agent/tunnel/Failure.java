package io.pipeops.agent.tunnel;

import java.util.Locale;

/** Why a stream ends badly. The text goes to the peer; it holds no secrets and is one line. */
final class Failure extends Exception {
  private static final long serialVersionUID = 1L;

  /** What it counts as; the names are label values of a metric. */
  enum Reason {
    /** The request breaks a rule of the protocol or of this bundle. */
    INVALID,
    /** A kind of request that this version does not serve. */
    UNSUPPORTED,
    /** Too many requests at once. */
    BUSY,
    /** No connection to the target. */
    UNREACHABLE,
    /** A limit of time is over. */
    TIMEOUT,
    /** The target broke the exchange off. */
    BROKEN,
    /** The request body was malformed or came too fast. */
    BODY,
    /** No memory for the body. */
    MEMORY,
    /** The peer cancelled. */
    CANCELLED,
    /** The link is gone, so nobody can be told. */
    LOST,
    /** The feature stops. */
    STOPPED,
    /** A fault of ours. */
    INTERNAL;

    String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final Reason reason;

  Failure(Reason reason, String text) {
    super(text, null, false, false);
    this.reason = reason;
  }

  Reason reason() {
    return reason;
  }

  static Failure invalid(String text) {
    return new Failure(Reason.INVALID, text);
  }

  static Failure cancelled() {
    return new Failure(Reason.CANCELLED, "request cancelled");
  }

  static Failure timeout(String text) {
    return new Failure(Reason.TIMEOUT, text);
  }

  static Failure stopped() {
    return new Failure(Reason.STOPPED, "request cut: the agent is being stopped or upgraded");
  }
}
