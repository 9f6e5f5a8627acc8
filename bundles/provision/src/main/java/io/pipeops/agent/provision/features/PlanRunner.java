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

/**
 * Carries plans out. A step that fails ends its feature's part of the plan and takes it back; the
 * other features' parts go on. Used by one thread.
 */
final class PlanRunner {
  /** What a failure says about trying again. */
  enum Fault {
    /** The jars are not what the feature file says. */
    JARS,
    /** The feature does not run as it is. */
    CONTENT,
    /** A feature that it needs failed in the same plan. */
    NEED
  }

  /** Why a feature's part failed. */
  record Failure(Candidate candidate, Fault fault, String reason) {}

  /**
   * What became of a plan.
   *
   * @param failures features whose part was taken back
   * @param upgraded features of which another version runs now
   */
  record Outcome(Map<String, Failure> failures, List<String> upgraded) {}

  private static final Logger log = LoggerFactory.getLogger(PlanRunner.class);

  private final BundleStore store;
  private final FeatureHealth health;
  private final SideBySide streams;
  private final List<RunningFeature> running;
  private long instances;

  /**
   * Runs plans.
   *
   * @param running the installed features, kept up to date; a list that is safe for readers
   */
  PlanRunner(
      BundleStore store, FeatureHealth health, SideBySide streams, List<RunningFeature> running) {
    this.store = store;
    this.health = health;
    this.streams = streams;
    this.running = running;
  }

  /** Carries a plan out. */
  Outcome run(Plan plan, Map<String, Candidate> chosen, Limits limits) throws InterruptedException {
    Run run = new Run(chosen, limits);
    try {
      for (PlanStep.Kind kind : PlanStep.Kind.values()) {
        List<PlanStep> steps = plan.steps().stream().filter(s -> s.kind() == kind).toList();
        if (kind == PlanStep.Kind.CHECK) {
          run.check(steps);
        } else {
          for (PlanStep step : steps) {
            run.step(step);
          }
        }
      }
    } finally {
      store.discardCopies();
    }
    return new Outcome(Map.copyOf(run.failures), List.copyOf(run.upgraded));
  }

  /** The bundles of a version that no other version uses. */
  private List<Bundle> own(RunningFeature feature, List<BundleKey> keys) {
    return keys.stream().filter(k -> store.only(k, feature.instance)).map(store::bundle).toList();
  }

  /** Takes a version away. */
  void remove(RunningFeature feature) throws InterruptedException {
    List<BundleKey> keys = new ArrayList<>(feature.keys());
    Collections.reverse(keys);
    for (BundleKey key : keys) {
      store.release(key, feature.instance);
    }
    running.remove(feature);
  }

  /** One plan on its way. */
  private final class Run {
    final Map<String, Failure> failures = new TreeMap<>();
    final List<String> upgraded = new ArrayList<>();
    private final Map<String, Candidate> chosen;
    private final Limits limits;
    private final Map<String, RunningFeature> fresh = new HashMap<>();
    private final Map<String, PlanStep> stopped = new LinkedHashMap<>();
    private final Map<String, PlanStep> revived = new HashMap<>();

    Run(Map<String, Candidate> chosen, Limits limits) {
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
        boolean jars = step.kind() == PlanStep.Kind.VERIFY;
        fail(step.feature(), failed.getMessage(), jars ? Fault.JARS : Fault.CONTENT);
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
          fail(step.feature(), "needs the feature " + need + ", which failed", Fault.NEED);
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
      remove(feature);
      log.info("Removed feature={} version={}", feature.name(), feature.version());
    }

    private void install(PlanStep step) throws BadFeature {
      Candidate candidate = chosen.get(step.feature());
      RunningFeature feature = new RunningFeature(candidate.name() + "#" + ++instances, candidate);
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
        } else {
          fail(each.getKey(), each.getValue(), Fault.CONTENT);
        }
      }
    }

    private void accept(String name) {
      RunningFeature feature = fresh.get(name);
      feature.become(FeatureState.ACTIVE, "");
      log.info("Running feature={} version={}", name, feature.version());
    }

    private void drain(PlanStep step) throws InterruptedException {
      RunningFeature former = instance(step.instance());
      streams.drain(own(former, step.bundles()), true);
      former.drainDeadline = System.nanoTime() + limits.drain().toNanos();
      former.idleLooks = 0;
      former.become(
          FeatureState.DRAINING,
          "finishes its streams; " + chosen.get(step.feature()).version() + " takes the new ones");
      upgraded.add(step.feature());
      absorb(step.feature());
    }

    private void retire(PlanStep step) throws InterruptedException {
      remove(instance(step.instance()));
      upgraded.add(step.feature());
      absorb(step.feature());
    }

    /** A version that drained and was taken up again is no version of its own any more. */
    private void absorb(String name) throws InterruptedException {
      RunningFeature now = fresh.get(name);
      Set<BundleKey> keys = Set.copyOf(now.keys());
      for (RunningFeature other : List.copyOf(running)) {
        if (other.draining() && other.name().equals(name) && keys.containsAll(other.keys())) {
          remove(other);
        }
      }
    }

    private void fail(String name, String reason, Fault fault) throws InterruptedException {
      Candidate candidate = chosen.get(name);
      failures.put(name, new Failure(candidate, fault, reason));
      RunningFeature feature = fresh.remove(name);
      if (feature != null) {
        feature.become(FeatureState.FAILED, reason);
        remove(feature);
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
                          + running.stream()
                              .map(f -> f.instance)
                              .collect(Collectors.joining(", "))));
    }
  }
}
