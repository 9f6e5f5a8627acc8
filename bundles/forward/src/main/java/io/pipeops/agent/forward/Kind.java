package io.pipeops.agent.forward;

/** What is carried; each kind has its own limit and its own numbers. */
enum Kind {
  TCP,
  UDP,
  API;

  String label() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
