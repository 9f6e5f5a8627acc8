package io.pipeops.agent.api.feature;

/** What a feature is doing. */
public enum FeatureState {
  /** Switched off: none of its bundles is installed. */
  DISABLED,
  /** Installed and being started, or not yet healthy. */
  STARTING,
  /** Running and healthy. */
  ACTIVE,
  /** Running, but one of its health checks is not content. */
  DEGRADED,
  /** A newer version has taken over; this one finishes its streams. */
  DRAINING,
  /** Could not be installed, started or kept healthy; the reason says why. */
  FAILED
}
