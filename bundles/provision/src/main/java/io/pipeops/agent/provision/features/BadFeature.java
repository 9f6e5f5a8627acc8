package io.pipeops.agent.provision.features;

/** A feature that cannot be used, with a reason that can be shown as it is. */
public final class BadFeature extends Exception {
  private static final long serialVersionUID = 1L;

  BadFeature(String reason) {
    super(reason, null, false, false);
  }
}
