package io.pipeops.agent.api.feature;

import java.time.Instant;
import java.util.List;

/**
 * One feature as it is now.
 *
 * @param name short name, such as {@code tunnel}
 * @param version the feature's version
 * @param state what it is doing
 * @param since when it got there
 * @param reason why it does not run, or what went wrong with a newer version; empty if all is well
 * @param bundles its bundles
 */
public record FeatureStatus(
    String name,
    String version,
    FeatureState state,
    Instant since,
    String reason,
    List<BundleStatus> bundles) {
  public FeatureStatus {
    bundles = List.copyOf(bundles);
  }

  /**
   * One bundle of a feature.
   *
   * @param symbolicName the bundle's symbolic name
   * @param version its version
   * @param state the framework's state, such as {@code ACTIVE} or {@code RESOLVED}
   */
  public record BundleStatus(String symbolicName, String version, String state) {}
}
