package io.pipeops.hub.store;

import java.util.Locale;

/** What a token is for; it shows in the token's first letters. */
public enum TokenKind {
  /** The hub's REST API. */
  ADMIN("pad_"),
  /** An agent's connection to the hub. */
  AGENT("pat_"),
  /** The Kubernetes API of one cluster. */
  CLIENT("pct_");

  private final String prefix;

  TokenKind(String prefix) {
    this.prefix = prefix;
  }

  public String prefix() {
    return prefix;
  }

  String column() {
    return name().toLowerCase(Locale.ROOT);
  }
}
