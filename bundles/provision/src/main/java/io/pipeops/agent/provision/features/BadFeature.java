package io.pipeops.agent.provision.features;

/** A feature that cannot be used, with a reason that can be shown as it is. */
public final class BadFeature extends Exception {
  private static final long serialVersionUID = 1L;

  private final boolean machine;

  BadFeature(String reason) {
    this(reason, false);
  }

  BadFeature(String reason, boolean machine) {
    super(reason, null, false, false);
    this.machine = machine;
  }

  /** Whether it is not the feature's fault, so that the same may work later. */
  boolean machine() {
    return machine;
  }
}
