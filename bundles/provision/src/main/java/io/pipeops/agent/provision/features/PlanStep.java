package io.pipeops.agent.provision.features;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * One step of a plan.
 *
 * @param kind what is done
 * @param feature the feature it is done for
 * @param version that feature's version
 * @param instance which of the versions that are installed; empty for a new one
 * @param bundles the bundles it is done to
 */
public record PlanStep(
    Kind kind, String feature, String version, String instance, List<BundleKey> bundles) {
  /** What a step does, in the order of a plan. */
  public enum Kind {
    /** Digests the new bundles and keeps a private copy of each. */
    VERIFY,
    /** Stops bundles that leave or are replaced. */
    STOP,
    /** Takes bundles away. */
    UNINSTALL,
    /** Rewires what still uses packages of bundles that left; only if there is any. */
    REFRESH,
    /** Installs new bundles from the private copies. */
    INSTALL,
    /** Lets a version that drains take new streams again. */
    REVIVE,
    /** Starts bundles. */
    START,
    /** Waits until the feature is healthy. */
    CHECK,
    /** Lets a former version finish its streams. */
    DRAIN,
    /** Takes a former version away, now that the new one is healthy. */
    RETIRE
  }

  public PlanStep {
    bundles = List.copyOf(bundles);
  }

  @Override
  public String toString() {
    String named = bundles.stream().map(BundleKey::toString).collect(Collectors.joining(", "));
    String verb = kind.name().toLowerCase(Locale.ROOT);
    String subject = feature.isEmpty() ? "" : " feature=" + feature + " version=" + version;
    return verb + subject + (named.isEmpty() ? "" : " bundles=[" + named + "]");
  }
}
