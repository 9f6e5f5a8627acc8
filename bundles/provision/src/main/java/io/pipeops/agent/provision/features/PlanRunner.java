package io.pipeops.agent.provision.features;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.osgi.framework.Bundle;

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
    /** The machine was in the way: a full disk, say. */
    MACHINE,
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

  /** Who has bundles while a plan is carried out. */
  private static final String PLAN = "plan";

  final BundleStore store;
  final FeatureHealth health;
  final SideBySide streams;
  final List<RunningFeature> running;
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
    PlanRun run = new PlanRun(this, chosen, limits);
    // What moves from one feature to another must not leave in between.
    List<BundleKey> kept = chosen.values().stream().flatMap(c -> c.keys().stream()).toList();
    store.hold(kept, PLAN);
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
      for (BundleKey key : kept) {
        store.release(key, PLAN);
      }
      store.discardCopies();
    }
    return new Outcome(Map.copyOf(run.failures), List.copyOf(run.upgraded));
  }

  /** Tells a version of a feature from all others that were ever installed. */
  String nextInstance(Candidate candidate) {
    return candidate.name() + "#" + ++instances;
  }

  /** The bundles of a version that no other version uses. */
  List<Bundle> own(RunningFeature feature, List<BundleKey> keys) {
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
}
