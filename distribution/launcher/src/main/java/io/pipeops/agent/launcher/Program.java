package io.pipeops.agent.launcher;

import java.util.Locale;

/** What the process is; decides the base feature and which features may run. */
enum Program {
  AGENT("base.json"),
  HUB("base-hub.json"),
  /** Agent, hub and an embedded Kubernetes API in one process. */
  SANDBOX("base.json");

  private final String baseFile;

  Program(String baseFile) {
    this.baseFile = baseFile;
  }

  String baseFile() {
    return baseFile;
  }

  String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
