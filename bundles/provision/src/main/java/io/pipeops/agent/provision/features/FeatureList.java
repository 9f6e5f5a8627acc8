package io.pipeops.agent.provision.features;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Puts what runs and what does not into one list. */
final class FeatureList {
  private FeatureList() {}

  static List<FeatureStatus> of(
      Collection<RunningFeature> running,
      Selection choice,
      Map<String, Instant> idleSince,
      FeatureHealth health) {
    List<FeatureStatus> all = new ArrayList<>();
    Set<String> shown = new HashSet<>();
    for (RunningFeature feature : running) {
      if (!feature.draining()) {
        shown.add(feature.name());
      }
      all.add(status(feature, choice.notes().getOrDefault(feature.name(), ""), health));
    }
    choice
        .idle()
        .forEach(
            (name, idle) -> {
              if (!shown.contains(name)) {
                all.add(
                    new FeatureStatus(
                        name,
                        idle.version(),
                        state(idle),
                        idleSince.getOrDefault(name, Instant.EPOCH),
                        idle.reason(),
                        List.of()));
              }
            });
    all.sort(Comparator.comparing(FeatureStatus::name).thenComparing(FeatureStatus::since));
    return all;
  }

  static FeatureState state(Selection.Idle idle) {
    if (idle.reason().isEmpty()) {
      return FeatureState.DISABLED;
    }
    return idle.waiting() ? FeatureState.STARTING : FeatureState.FAILED;
  }

  /** With what can be seen at once, so that a bundle that was stopped by hand shows. */
  private static FeatureStatus status(RunningFeature feature, String note, FeatureHealth health) {
    FeatureStatus status = feature.status(note);
    if (status.state() != FeatureState.ACTIVE) {
      return status;
    }
    String trouble = health.atRest(feature.bundles());
    return trouble.isEmpty()
        ? status
        : new FeatureStatus(
            status.name(),
            status.version(),
            FeatureState.DEGRADED,
            status.since(),
            trouble,
            status.bundles());
  }
}
