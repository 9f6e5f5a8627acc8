package io.pipeops.agent.provision.features;

import io.pipeops.agent.provision.features.PlanStep.Kind;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Computes a plan. A pure function: nothing is read or changed.
 *
 * <p>A replaced version is stopped, but it is taken away only after its successor has proved to be
 * healthy. So putting it back is nothing but a start, and needs neither its jar nor room on a disk.
 */
public final class Planner {
  /**
   * A feature that should run.
   *
   * @param name its name
   * @param version its version
   * @param hash names its whole content
   * @param bundles its bundles in the order they are started
   */
  public record Wanted(String name, String version, String hash, List<BundleKey> bundles) {
    public Wanted {
      bundles = List.copyOf(bundles);
    }
  }

  /**
   * A version of a feature that is installed.
   *
   * @param instance tells it from other versions
   * @param name its name
   * @param version its version
   * @param hash names its whole content
   * @param bundles its bundles
   * @param streaming those of them that own streams
   * @param draining whether it only finishes what it has
   */
  public record Present(
      String instance,
      String name,
      String version,
      String hash,
      List<BundleKey> bundles,
      Set<BundleKey> streaming,
      boolean draining) {
    public Present {
      bundles = List.copyOf(bundles);
      streaming = Set.copyOf(streaming);
    }
  }

  private final Collection<Wanted> wanted;
  private final Collection<Present> present;
  private final Map<Kind, List<PlanStep>> steps = new HashMap<>();
  private final Set<BundleKey> stay = new HashSet<>();
  private final Set<BundleKey> installed = new HashSet<>();
  private final Set<BundleKey> draining = new HashSet<>();

  private Planner(Collection<Wanted> wanted, Collection<Present> present) {
    this.wanted = wanted;
    this.present = present;
  }

  /**
   * Computes the plan.
   *
   * @param wanted what should run, those that others need first
   * @param present what is installed, in the order it was started
   */
  public static Plan plan(Collection<Wanted> wanted, Collection<Present> present) {
    return new Planner(wanted, present).compute();
  }

  private Plan compute() {
    wanted.forEach(w -> stay.addAll(w.bundles()));
    present.forEach(p -> installed.addAll(p.bundles()));
    present.stream().filter(Present::draining).forEach(p -> draining.addAll(p.bundles()));
    present.stream().filter(p -> !p.draining()).forEach(p -> draining.removeAll(p.bundles()));
    present.stream().filter(this::keepsDraining).forEach(p -> stay.addAll(p.bundles()));

    Map<String, Present> running = new HashMap<>();
    present.stream().filter(p -> !p.draining()).forEach(p -> running.put(p.name(), p));
    leave();
    Set<BundleKey> coming = new HashSet<>(installed);
    for (Wanted feature : wanted) {
      Present former = running.get(feature.name());
      if (former == null || !former.hash().equals(feature.hash())) {
        bring(feature, former, coming);
      }
    }
    return new Plan(ordered());
  }

  /** A version drains on as long as its feature is wanted at all. */
  private boolean keepsDraining(Present feature) {
    return feature.draining() && wanted.stream().anyMatch(w -> w.name().equals(feature.name()));
  }

  /** Features that are not wanted any more, those that need others first. */
  private void leave() {
    List<Present> leaving = new ArrayList<>();
    for (Present feature : present) {
      if (wanted.stream().noneMatch(w -> w.name().equals(feature.name()))) {
        leaving.add(0, feature);
      }
    }
    Set<BundleKey> taken = new HashSet<>();
    for (Present feature : leaving) {
      List<BundleKey> bundles =
          feature.bundles().stream().filter(b -> !stay.contains(b) && taken.add(b)).toList();
      step(Kind.STOP, feature, bundles);
      step(Kind.UNINSTALL, feature, bundles);
    }
  }

  private void bring(Wanted feature, Present former, Set<BundleKey> coming) {
    List<BundleKey> fresh = feature.bundles().stream().filter(coming::add).toList();
    List<BundleKey> revived = feature.bundles().stream().filter(draining::contains).toList();
    if (!fresh.isEmpty()) {
      step(Kind.VERIFY, feature, fresh);
    }
    if (former != null) {
      replace(feature, former);
    }
    step(Kind.INSTALL, feature, feature.bundles());
    if (!revived.isEmpty()) {
      step(Kind.REVIVE, feature, revived);
    }
    step(Kind.START, feature, feature.bundles());
    step(Kind.CHECK, feature, feature.bundles());
  }

  private void replace(Wanted feature, Present former) {
    Set<BundleKey> own = new HashSet<>(feature.bundles());
    List<BundleKey> leaving = former.bundles().stream().filter(b -> !stay.contains(b)).toList();
    boolean streams =
        former.bundles().stream().anyMatch(b -> !own.contains(b) && former.streaming().contains(b));
    if (streams) {
      // Also when another feature shares the bundle: then there is only nothing to take away.
      step(Kind.DRAIN, former, former.bundles().stream().filter(b -> !own.contains(b)).toList());
    } else {
      if (!leaving.isEmpty()) {
        step(Kind.STOP, former, leaving);
      }
      step(Kind.RETIRE, former, leaving);
    }
  }

  private void step(Kind kind, Present feature, List<BundleKey> bundles) {
    add(new PlanStep(kind, feature.name(), feature.version(), feature.instance(), bundles));
  }

  private void step(Kind kind, Wanted feature, List<BundleKey> bundles) {
    add(new PlanStep(kind, feature.name(), feature.version(), "", bundles));
  }

  private void add(PlanStep step) {
    steps.computeIfAbsent(step.kind(), k -> new ArrayList<>()).add(step);
  }

  private List<PlanStep> ordered() {
    if (steps.containsKey(Kind.UNINSTALL)) {
      add(new PlanStep(Kind.REFRESH, "", "", "", List.of()));
    }
    List<PlanStep> all = new ArrayList<>();
    Set<PlanStep> seen = new LinkedHashSet<>();
    for (Kind kind : Kind.values()) {
      for (PlanStep step : steps.getOrDefault(kind, List.of())) {
        if (seen.add(step)) {
          all.add(step);
        }
      }
    }
    return all;
  }
}
