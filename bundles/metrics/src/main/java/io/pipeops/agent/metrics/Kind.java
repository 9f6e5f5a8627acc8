package io.pipeops.agent.metrics;

/** What Prometheus calls the type of a metric. */
enum Kind {
  COUNTER("counter"),
  GAUGE("gauge"),
  SUMMARY("summary");

  private final String text;

  Kind(String text) {
    this.text = text;
  }

  String text() {
    return text;
  }
}
