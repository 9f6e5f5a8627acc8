package io.pipeops.agent.provision.features;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.provision.features.PlanStep.Kind;
import io.pipeops.agent.provision.features.Planner.Present;
import io.pipeops.agent.provision.features.Planner.Wanted;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class PlannerTest {
  private static BundleKey bundle(String name, int version) {
    return new BundleKey(name, version + ".0.0", name + version);
  }

  private static Wanted wanted(String name, int version, BundleKey... bundles) {
    return new Wanted(name, version + ".0.0", name + version, List.of(bundles));
  }

  private static Present present(String name, int version, boolean streams, BundleKey... bundles) {
    List<BundleKey> all = List.of(bundles);
    return new Present(
        name + "#" + version,
        name,
        version + ".0.0",
        name + version,
        all,
        streams ? Set.copyOf(all) : Set.of(),
        false);
  }

  private static List<String> lines(Plan plan) {
    return plan.lines();
  }

  @Test
  void bringsAFeature() {
    assertEquals(
        List.of(
            "verify feature=a version=1.0.0 bundles=[x 1.0.0]",
            "install feature=a version=1.0.0 bundles=[x 1.0.0]",
            "start feature=a version=1.0.0 bundles=[x 1.0.0]",
            "check feature=a version=1.0.0 bundles=[x 1.0.0]"),
        lines(Planner.plan(List.of(wanted("a", 1, bundle("x", 1))), List.of())));
  }

  @Test
  void takesAFeatureAway() {
    assertEquals(
        List.of(
            "stop feature=a version=1.0.0 bundles=[x 1.0.0]",
            "uninstall feature=a version=1.0.0 bundles=[x 1.0.0]",
            "refresh"),
        lines(Planner.plan(List.of(), List.of(present("a", 1, false, bundle("x", 1))))));
  }

  @Test
  void replacesAFeature() {
    assertEquals(
        List.of(
            "verify feature=a version=2.0.0 bundles=[x 2.0.0]",
            "stop feature=a version=1.0.0 bundles=[x 1.0.0]",
            "install feature=a version=2.0.0 bundles=[x 2.0.0, y 1.0.0]",
            "start feature=a version=2.0.0 bundles=[x 2.0.0, y 1.0.0]",
            "check feature=a version=2.0.0 bundles=[x 2.0.0, y 1.0.0]",
            "retire feature=a version=1.0.0 bundles=[x 1.0.0]"),
        lines(
            Planner.plan(
                List.of(wanted("a", 2, bundle("x", 2), bundle("y", 1))),
                List.of(present("a", 1, false, bundle("x", 1), bundle("y", 1))))));
  }

  @Test
  void replacesAnOwnerOfStreamsSideBySide() {
    assertEquals(
        List.of(
            "verify feature=a version=2.0.0 bundles=[x 2.0.0]",
            "install feature=a version=2.0.0 bundles=[x 2.0.0]",
            "start feature=a version=2.0.0 bundles=[x 2.0.0]",
            "check feature=a version=2.0.0 bundles=[x 2.0.0]",
            "drain feature=a version=1.0.0 bundles=[x 1.0.0]"),
        lines(
            Planner.plan(
                List.of(wanted("a", 2, bundle("x", 2))),
                List.of(present("a", 1, true, bundle("x", 1))))));
  }

  @Test
  void doesNothingIfNothingChanged() {
    assertTrue(
        Planner.plan(
                List.of(wanted("a", 1, bundle("x", 1))),
                List.of(present("a", 1, true, bundle("x", 1))))
            .isEmpty());
  }

  /** What a plan does, on a model: bundles with their users. */
  private static final class Model {
    final Map<String, Set<BundleKey>> users = new HashMap<>();
    final Set<String> draining = new HashSet<>();
    final Map<BundleKey, Boolean> running = new HashMap<>();
    final Set<BundleKey> verified = new HashSet<>();

    Model(List<Present> present) {
      for (Present feature : present) {
        users.put(feature.instance(), new HashSet<>(feature.bundles()));
        feature.bundles().forEach(b -> running.put(b, true));
        if (feature.draining()) {
          draining.add(feature.instance());
        }
      }
    }

    private boolean used(BundleKey bundle) {
      return users.values().stream().anyMatch(b -> b.contains(bundle));
    }

    void run(PlanStep step) {
      switch (step.kind()) {
        case VERIFY -> verified.addAll(step.bundles());
        case STOP -> step.bundles().forEach(b -> running.put(b, false));
        case UNINSTALL, RETIRE -> remove(step.instance());
        case INSTALL -> {
          for (BundleKey bundle : step.bundles()) {
            assertTrue(running.containsKey(bundle) || verified.contains(bundle), bundle.toString());
            running.putIfAbsent(bundle, false);
          }
          users.put("new " + step.feature(), new HashSet<>(step.bundles()));
        }
        case START -> step.bundles().forEach(b -> running.put(b, true));
        case DRAIN -> draining.add(step.instance());
        case CHECK -> step.bundles().forEach(b -> assertTrue(running.get(b), step.toString()));
        case REFRESH, REVIVE -> {
          // Nothing that the model knows of.
        }
      }
    }

    private void remove(String instance) {
      Set<BundleKey> gone = users.remove(instance);
      gone.stream().filter(b -> !used(b)).forEach(running::remove);
    }
  }

  @Property(tries = 1000)
  void leadsToWhatIsWanted(
      @ForAll("wantedLists") List<Wanted> wanted, @ForAll("presentLists") List<Present> present) {
    Plan plan = Planner.plan(wanted, present);
    Model model = new Model(present);
    // The runner holds what it will need until it is done.
    Set<BundleKey> held = new HashSet<>(model.running.keySet());
    held.retainAll(wanted.stream().flatMap(w -> w.bundles().stream()).toList());
    model.users.put("plan", held);
    Set<String> untouched = unchanged(wanted, present);
    Map<String, Set<BundleKey>> before = new HashMap<>(model.users);
    Kind last = Kind.VERIFY;
    for (PlanStep step : plan.steps()) {
      assertTrue(step.kind().compareTo(last) >= 0, "order of " + plan.lines());
      last = step.kind();
      model.run(step);
      for (String instance : untouched) {
        before
            .get(instance)
            .forEach(
                b -> assertTrue(model.running.getOrDefault(b, false), step + " hurts " + instance));
      }
    }
    model.remove("plan");
    for (Wanted feature : wanted) {
      feature
          .bundles()
          .forEach(
              b ->
                  assertTrue(
                      model.running.getOrDefault(b, false), feature + " of " + plan.lines()));
    }
    Set<String> names = wanted.stream().map(Wanted::name).collect(Collectors.toSet());
    Set<BundleKey> kept = new HashSet<>();
    wanted.forEach(w -> kept.addAll(w.bundles()));
    present.stream()
        .filter(p -> names.contains(p.name()))
        .filter(p -> p.draining() || model.draining.contains(p.instance()))
        .forEach(p -> kept.addAll(p.bundles()));
    assertEquals(kept, model.running.keySet(), () -> plan.lines().toString());
  }

  @Property(tries = 300)
  void isEmptyWhenItIsDone(@ForAll("wantedLists") List<Wanted> wanted) {
    List<Present> done = new ArrayList<>();
    for (Wanted w : wanted) {
      done.add(
          new Present(
              "i" + w.name(), w.name(), w.version(), w.hash(), w.bundles(), Set.of(), false));
    }
    assertTrue(Planner.plan(wanted, done).isEmpty());
  }

  private static Set<String> unchanged(List<Wanted> wanted, List<Present> present) {
    return present.stream()
        .filter(p -> !p.draining())
        .filter(
            p ->
                wanted.stream()
                    .anyMatch(w -> w.name().equals(p.name()) && w.hash().equals(p.hash())))
        .map(Present::instance)
        .collect(Collectors.toSet());
  }

  @Provide
  Arbitrary<List<Wanted>> wantedLists() {
    return Arbitraries.of("a", "b", "c", "d")
        .set()
        .ofMaxSize(4)
        .flatMap(
            names ->
                Combinators.combine(names.stream().map(this::wantedNamed).toList()).as(l -> l));
  }

  private Arbitrary<Wanted> wantedNamed(String name) {
    return Combinators.combine(Arbitraries.integers().between(1, 3), bundles())
        .as(
            (version, bundles) ->
                new Wanted(name, version + ".0.0", name + version + bundles, bundles));
  }

  private Arbitrary<List<BundleKey>> bundles() {
    return Combinators.combine(
            Arbitraries.of("x", "y", "z", "shared"), Arbitraries.integers().between(1, 2))
        .as(PlannerTest::bundle)
        .set()
        .ofMinSize(1)
        .ofMaxSize(3)
        .map(s -> List.copyOf(new LinkedHashSet<>(s)));
  }

  @Provide
  Arbitrary<List<Present>> presentLists() {
    Arbitrary<List<Present>> running =
        wantedLists()
            .flatMap(
                list ->
                    Combinators.combine(
                            list.stream()
                                .map(
                                    w ->
                                        Arbitraries.of(true, false)
                                            .map(
                                                streams ->
                                                    new Present(
                                                        "run " + w.name(),
                                                        w.name(),
                                                        w.version(),
                                                        w.hash(),
                                                        w.bundles(),
                                                        streams
                                                            ? Set.copyOf(w.bundles())
                                                            : Set.of(),
                                                        false)))
                                .toList())
                        .as(l -> l));
    Arbitrary<List<Present>> draining =
        wantedLists()
            .map(
                list ->
                    list.stream()
                        .limit(2)
                        .map(
                            w ->
                                new Present(
                                    "drain " + w.name(),
                                    w.name(),
                                    w.version(),
                                    w.hash(),
                                    w.bundles(),
                                    Set.copyOf(w.bundles()),
                                    true))
                        .toList());
    return Combinators.combine(running, draining)
        .as(
            (r, d) -> {
              List<Present> all = new ArrayList<>(d);
              all.addAll(r);
              return all;
            });
  }
}
