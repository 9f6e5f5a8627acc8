package io.pipeops.agent.provision.features;

import io.pipeops.agent.api.feature.FeatureState;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.osgi.framework.Bundle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One plan on its way: what was done so far, so that a feature's part can be taken back. */
final class PlanRun {
  private static final Logger log = LoggerFactory.getLogger(PlanRun.class);

  final Map<String, PlanRunner.Failure> failures = new TreeMap<>();
  final List<String> upgraded = new ArrayList<>();
  private final PlanRunner runner;
  private final BundleStore store;
  private final FeatureHealth health;
  private final SideBySide streams;
  private final List<RunningFeature> running;
  private final Map<String, Candidate> chosen;
  private final Limits limits;
  private final Map<String, RunningFeature> fresh = new HashMap<>();
  private final Map<String, PlanStep> stopped = new LinkedHashMap<>();
  private final Map<String, PlanStep> revived = new HashMap<>();

  PlanRun(PlanRunner runner, Map<String, Candidate> chosen, Limits limits) {
    this.runner = runner;
    this.store = runner.store;
    this.health = runner.health;
    this.streams = runner.streams;
    this.running = runner.running;
    this.chosen = chosen;
    this.limits = limits;
  }

  void step(PlanStep step) throws InterruptedException {
    if (failures.containsKey(step.feature())) {
      return;
    }
    if (needs(step)) {
      return;
    }
    try {
      switch (step.kind()) {
        case VERIFY -> verify(step);
        case STOP -> stop(step);
        case UNINSTALL -> uninstall(step);
        case REFRESH -> store.refresh();
        case INSTALL -> install(step);
        case REVIVE -> revive(step);
        case START -> start(step);
        case DRAIN -> drain(step);
        case RETIRE -> retire(step);
        case CHECK -> throw new IllegalStateException("checks are done together");
      }
    } catch (BadFeature failed) {
      PlanRunner.Fault fault =
          failed.machine()
              ? PlanRunner.Fault.MACHINE
              : step.kind() == PlanStep.Kind.VERIFY
                  ? PlanRunner.Fault.JARS
                  : PlanRunner.Fault.CONTENT;
      fail(step.feature(), failed.getMessage(), fault);
    }
  }

  /** Whether the step is in vain because of a feature that this one needs. */
  private boolean needs(PlanStep step) throws InterruptedException {
    Candidate candidate = chosen.get(step.feature());
    if (candidate == null) {
      return false;
    }
    for (String need : candidate.file().requires()) {
      if (failures.containsKey(need) && running.stream().noneMatch(f -> f.name().equals(need))) {
        fail(step.feature(), "needs the feature " + need + ", which failed", PlanRunner.Fault.NEED);
        return true;
      }
    }
    return false;
  }

  private void verify(PlanStep step) throws BadFeature {
    for (Candidate.Jar jar : chosen.get(step.feature()).jars()) {
      if (step.bundles().contains(jar.key())) {
        store.verify(jar);
      }
    }
  }

  private void stop(PlanStep step) throws InterruptedException {
    RunningFeature feature = instance(step.instance());
    if (chosen.containsKey(step.feature())) {
      stopped.put(step.feature(), step);
    }
    List<BundleKey> keys = new ArrayList<>(step.bundles());
    Collections.reverse(keys);
    for (BundleKey key : keys) {
      if (store.only(key, feature.instance) || !chosen.containsKey(step.feature())) {
        store.stop(key);
      }
    }
  }

  private void uninstall(PlanStep step) throws InterruptedException {
    RunningFeature feature = instance(step.instance());
    runner.remove(feature);
    log.info("Removed feature={} version={}", feature.name(), feature.version());
  }

  private void install(PlanStep step) throws BadFeature {
    Candidate candidate = chosen.get(step.feature());
    RunningFeature feature = new RunningFeature(runner.nextInstance(candidate), candidate);
    fresh.put(candidate.name(), feature);
    running.add(feature);
    for (Candidate.Jar jar : candidate.jars()) {
      store.acquire(jar, feature.instance);
      feature.add(jar.key(), store.bundle(jar.key()));
    }
  }

  private void revive(PlanStep step) throws InterruptedException {
    revived.put(step.feature(), step);
    streams.drain(step.bundles().stream().map(store::bundle).toList(), false);
  }

  private void start(PlanStep step) throws BadFeature, InterruptedException {
    for (BundleKey key : step.bundles()) {
      store.start(key, limits.start());
    }
  }

  /** All new features at the same time, so that a slow one does not hold the others up. */
  void check(List<PlanStep> steps) throws InterruptedException {
    Map<String, String> found = Collections.synchronizedMap(new LinkedHashMap<>());
    List<Thread> threads = new ArrayList<>();
    for (PlanStep step : steps) {
      if (!failures.containsKey(step.feature()) && !needs(step)) {
        List<Bundle> bundles = fresh.get(step.feature()).bundles();
        threads.add(
            Thread.ofVirtual()
                .name("provision check " + step.feature())
                .start(
                    () -> {
                      try {
                        found.put(step.feature(), health.await(bundles, limits.health()));
                      } catch (InterruptedException | RuntimeException failed) {
                        found.put(step.feature(), BoundedCall.reason(failed));
                      }
                    }));
      }
    }
    for (Thread thread : threads) {
      thread.join();
    }
    for (Map.Entry<String, String> each : found.entrySet()) {
      if (each.getValue().isEmpty()) {
        accept(each.getKey());
      } else if (mayWait(each.getKey())) {
        keepWaiting(each.getKey(), each.getValue());
      } else {
        fail(each.getKey(), each.getValue(), PlanRunner.Fault.CONTENT);
      }
    }
  }

  private void accept(String name) {
    RunningFeature feature = fresh.get(name);
    feature.become(FeatureState.ACTIVE, "");
    log.info("Running feature={} version={}", name, feature.version());
  }

  /**
   * A feature of which there is no other version, and which waits for something that it says will
   * come: it would only be taken away to be tried again later.
   */
  private boolean mayWait(String name) throws InterruptedException {
    RunningFeature feature = fresh.get(name);
    return running.stream().noneMatch(f -> f != feature && f.name().equals(name))
        && health.waits(feature.bundles());
  }

  private void keepWaiting(String name, String reason) {
    RunningFeature feature = fresh.get(name);
    feature.become(FeatureState.DEGRADED, reason);
    log.warn(
        "Feature waits feature={} version={}: {}; it keeps running",
        name,
        feature.version(),
        reason);
  }

  private void drain(PlanStep step) throws InterruptedException {
    RunningFeature former = instance(step.instance());
    streams.drain(runner.own(former, step.bundles()), true);
    former.drainDeadline = System.nanoTime() + limits.drain().toNanos();
    former.idleLooks = 0;
    former.become(
        FeatureState.DRAINING,
        "finishes its streams; " + chosen.get(step.feature()).version() + " takes the new ones");
    upgraded.add(step.feature());
    absorb(step.feature());
  }

  private void retire(PlanStep step) throws InterruptedException {
    runner.remove(instance(step.instance()));
    upgraded.add(step.feature());
    absorb(step.feature());
  }

  /** A version that drained and was taken up again is no version of its own any more. */
  private void absorb(String name) throws InterruptedException {
    RunningFeature now = fresh.get(name);
    Set<BundleKey> keys = Set.copyOf(now.keys());
    for (RunningFeature other : List.copyOf(running)) {
      if (other.draining() && other.name().equals(name) && keys.containsAll(other.keys())) {
        runner.remove(other);
      }
    }
  }

  private void fail(String name, String reason, PlanRunner.Fault fault)
      throws InterruptedException {
    Candidate candidate = chosen.get(name);
    failures.put(name, new PlanRunner.Failure(candidate, fault, reason));
    RunningFeature feature = fresh.remove(name);
    if (feature != null) {
      feature.become(FeatureState.FAILED, reason);
      runner.remove(feature);
    }
    PlanStep back = revived.remove(name);
    if (back != null) {
      streams.drain(back.bundles().stream().map(store::bundle).toList(), true);
    }
    String former = putBack(name);
    if (former.isEmpty()) {
      log.error("Feature failed feature={} version={}: {}", name, candidate.version(), reason);
    } else {
      log.error(
          "Upgrade failed feature={} version={}: {}; version={} is in force again",
          name,
          candidate.version(),
          reason,
          former);
    }
  }

  /** Starts the former version again, if it was stopped; returns its version. */
  private String putBack(String name) throws InterruptedException {
    RunningFeature former = null;
    for (RunningFeature each : running) {
      if (each.name().equals(name) && !each.draining()) {
        former = each;
      }
    }
    if (former == null) {
      return "";
    }
    PlanStep step = stopped.remove(name);
    if (step != null) {
      String trouble = restart(step, former);
      former.become(trouble.isEmpty() ? FeatureState.ACTIVE : FeatureState.FAILED, trouble);
    }
    return former.version();
  }

  private String restart(PlanStep step, RunningFeature former) throws InterruptedException {
    try {
      for (BundleKey key : step.bundles()) {
        store.start(key, limits.start());
      }
      return health.await(former.bundles(), limits.health());
    } catch (BadFeature failed) {
      return "could not be put back: " + failed.getMessage();
    }
  }

  private RunningFeature instance(String instance) {
    return running.stream()
        .filter(f -> f.instance.equals(instance))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    instance
                        + " is not among "
                        + running.stream().map(f -> f.instance).collect(Collectors.joining(", "))));
  }
}
