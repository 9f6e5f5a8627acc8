package io.pipeops.agent.provision.features;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.feature.FeatureStatus.BundleStatus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.osgi.framework.Bundle;

/** One version of a feature that is installed. Changed by the provisioning thread, read by all. */
final class RunningFeature {
  final String instance;
  final Candidate candidate;
  private final Map<BundleKey, Bundle> bundles = new LinkedHashMap<>();
  private FeatureState state = FeatureState.STARTING;
  private Instant since = Instant.now();
  private String reason = "";

  /** When it leaves although it has streams left, as nanoTime. */
  long drainDeadline;

  /** How often in a row it had none. */
  int idleLooks;

  RunningFeature(String instance, Candidate candidate) {
    this.instance = instance;
    this.candidate = candidate;
  }

  String name() {
    return candidate.name();
  }

  String version() {
    return candidate.version();
  }

  synchronized void add(BundleKey key, Bundle bundle) {
    bundles.put(key, bundle);
  }

  synchronized List<BundleKey> keys() {
    return List.copyOf(bundles.keySet());
  }

  synchronized List<Bundle> bundles() {
    return List.copyOf(bundles.values());
  }

  synchronized FeatureState state() {
    return state;
  }

  boolean draining() {
    return state() == FeatureState.DRAINING;
  }

  synchronized void become(FeatureState next, String why) {
    if (next != state) {
      state = next;
      since = Instant.now();
    }
    reason = why;
  }

  /** As it is shown: a note about a newer version stands where there is no trouble of its own. */
  synchronized FeatureStatus status(String note) {
    List<BundleStatus> shown = new ArrayList<>();
    bundles.forEach(
        (key, bundle) ->
            shown.add(
                new BundleStatus(key.symbolicName(), key.version(), FeatureHealth.state(bundle))));
    return new FeatureStatus(
        name(), version(), state, since, reason.isEmpty() ? note : reason, shown);
  }
}
