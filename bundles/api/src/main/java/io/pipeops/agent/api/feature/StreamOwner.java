package io.pipeops.agent.api.feature;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Registered by a bundle that owns streams which outlive a message. Its feature is upgraded side by
 * side: the new version takes every new stream, this one is told to drain and leaves when it has
 * none left, or when the drain limit is over.
 */
@ConsumerType
public interface StreamOwner {
  /** How many streams are open now. */
  int openStreams();

  /**
   * From now on no new stream is taken: sets the service property {@code draining} on this bundle's
   * handlers. Returns at once. Called with false if the upgrade is taken back.
   */
  void drain(boolean draining);
}
