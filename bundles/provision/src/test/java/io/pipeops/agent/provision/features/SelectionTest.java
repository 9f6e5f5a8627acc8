package io.pipeops.agent.provision.features;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Version;

class SelectionTest {
  private final Map<String, Candidate> present = new HashMap<>();
  private final Map<String, Boolean> switches = new HashMap<>();
  private final Map<String, String> failed = new HashMap<>();
  private Collection<BundleKey> installed = List.of();

  private static Candidate candidate(String name, String version, String... requires) {
    return candidate(name, version, "", false, name, "content of " + name + version, requires);
  }

  private static Candidate candidate(
      String name,
      String version,
      String problem,
      boolean waiting,
      String bundle,
      String content,
      String... requires) {
    FeatureFile file =
        new FeatureFile(
            name,
            version,
            Version.parseVersion(version),
            "",
            List.of(new BundleRef("g", bundle, version, content)),
            Map.of(),
            List.of("agent"),
            true,
            List.of(requires));
    Candidate.Jar jar =
        new Candidate.Jar(
            file.bundles().get(0),
            Path.of(bundle + ".jar"),
            new BundleJar(bundle, Version.parseVersion(version), List.of()));
    return new Candidate(
        file,
        Path.of(name + version),
        name + version + content,
        List.of(jar),
        "",
        problem,
        waiting);
  }

  private Selection select(Candidate... candidates) {
    return select(List.of(candidates));
  }

  private Selection select(List<Candidate> candidates) {
    return Selection.of(
        new Selection.Input(
            "agent",
            new FolderContent(candidates, List.of()),
            present,
            installed,
            Set.of("base"),
            name -> Optional.ofNullable(switches.get(name)),
            c -> failed.getOrDefault(c.toString(), "")));
  }

  private static String chosen(Selection selection, String name) {
    Candidate candidate = selection.chosen().get(name);
    return candidate == null ? "" : candidate.version();
  }

  @Test
  void theHighestVersionWinsAsNumbers() {
    assertEquals("1.10.0", chosen(select(candidate("a", "1.9.0"), candidate("a", "1.10.0")), "a"));
  }

  @Test
  void whatIsSwitchedOffIsIdleWithoutAReason() {
    switches.put("a", false);
    Selection selection = select(candidate("a", "1.0.0"));
    assertEquals("", chosen(selection, "a"));
    assertEquals("", selection.idle().get("a").reason());
  }

  @Test
  void anotherProgramsFeaturesAreNotSeen() {
    Selection selection =
        Selection.of(
            new Selection.Input(
                "hub",
                new FolderContent(List.of(candidate("a", "1.0.0")), List.of()),
                Map.of(),
                List.of(),
                Set.of(),
                n -> Optional.empty(),
                c -> ""));
    assertTrue(selection.chosen().isEmpty());
    assertTrue(selection.idle().isEmpty());
  }

  @Test
  void whatRunsStaysWhenItsSuccessorFailed() {
    present.put("a", candidate("a", "1.5.0"));
    failed.put("a 2.0.0", "ill");
    Selection selection = select(candidate("a", "1.0.0"), candidate("a", "2.0.0"));
    assertEquals("1.5.0", chosen(selection, "a"));
    assertEquals("ill", selection.notes().get("a"));
  }

  @Test
  void whatRunsIsNotReplacedByWhatIsStillArriving() {
    present.put("a", candidate("a", "1.0.0"));
    Candidate next = candidate("a", "2.0.0", "b.jar is missing", true, "a", "x");
    Selection selection = select(candidate("a", "1.0.0"), next);
    assertEquals("1.0.0", chosen(selection, "a"));
    assertEquals(Map.of(), selection.notes());
  }

  @Test
  void anOlderVersionIsBetterThanNone() {
    failed.put("a 2.0.0", "ill");
    assertEquals("1.0.0", chosen(select(candidate("a", "1.0.0"), candidate("a", "2.0.0")), "a"));
  }

  @Test
  void needsComeFirstAndMissingOnesAreNamed() {
    Selection selection =
        select(
            candidate("a", "1.0.0", "b"),
            candidate("b", "1.0.0", "c"),
            candidate("c", "1.0.0"),
            candidate("d", "1.0.0", "e"));
    assertEquals(List.of("c", "b", "a"), List.copyOf(selection.chosen().keySet()));
    assertEquals(
        "d 1.0.0: needs the feature e, which is not there", selection.idle().get("d").reason());
  }

  @Test
  void aNewVersionWithANeedThatIsNotMetLeavesTheOldOne() {
    present.put("a", candidate("a", "1.0.0"));
    Selection selection = select(candidate("a", "1.0.0"), candidate("a", "2.0.0", "b"));
    assertEquals("1.0.0", chosen(selection, "a"));
    assertTrue(selection.notes().get("a").contains("needs the feature b"));
  }

  @Test
  void circlesAreRefusedWithTheirWay() {
    Selection selection =
        select(
            candidate("a", "1.0.0", "b"),
            candidate("b", "1.0.0", "a"),
            candidate("c", "1.0.0", "a"),
            candidate("d", "1.0.0"));
    assertEquals(Set.of("d"), selection.chosen().keySet());
    assertEquals("a 1.0.0: needs itself: a -> b -> a", selection.idle().get("a").reason());
    assertTrue(selection.idle().get("c").reason().contains("which cannot run"));
  }

  @Test
  void bundlesOfTheBaseAreRefused() {
    Selection selection = select(candidate("a", "1.0.0", "", false, "base", "x"));
    assertTrue(selection.idle().get("a").reason().contains("belongs to the base"));
  }

  @Test
  void oneVersionHasOneContent() {
    installed = List.of(new BundleKey("shared", "1.0.0", "old"));
    Selection selection =
        select(
            candidate("a", "1.0.0", "", false, "shared", "new"),
            candidate("b", "1.0.0", "", false, "own", "b"),
            candidate("c", "1.0.0", "", false, "own", "c"));
    assertTrue(selection.idle().get("a").reason().contains("raise its version"));
    assertEquals(Set.of("b"), selection.chosen().keySet());
    assertFalse(selection.idle().get("c").reason().isEmpty());
  }

  @Property(tries = 500)
  void whatIsChosenIsWholeAndInOrder(@ForAll("candidates") List<Candidate> candidates) {
    Selection selection = select(candidates);
    List<String> order = new ArrayList<>();
    selection
        .chosen()
        .forEach(
            (name, candidate) -> {
              assertTrue(order.containsAll(candidate.file().requires()));
              assertEquals("", candidate.problem());
              order.add(name);
            });
    candidates.forEach(
        c -> assertTrue(order.contains(c.name()) || selection.idle().containsKey(c.name())));
  }

  @Provide
  Arbitrary<List<Candidate>> candidates() {
    Arbitrary<String> names = Arbitraries.of("a", "b", "c", "d", "e");
    return Combinators.combine(
            names,
            Arbitraries.of("1.0.0", "2.0.0"),
            names.list().ofMaxSize(2),
            Arbitraries.of("", "", "", "broken"))
        .as(
            (name, version, requires, problem) ->
                candidate(
                    name, version, problem, false, name, "x", requires.toArray(String[]::new)))
        .list()
        .ofMaxSize(8);
  }
}
