package io.pipeops.agent.provision.features;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What should run: for each feature the highest version that is switched on, whole, not known to
 * fail, and has what it needs. A pure function of what lies in the folder and what runs.
 *
 * @param chosen features to run by name, those that others need first
 * @param idle features that are not to run, with the reason; empty reason means switched off
 * @param notes what is wrong with versions that were not chosen, by feature
 */
public record Selection(
    Map<String, Candidate> chosen, Map<String, Idle> idle, Map<String, String> notes) {
  /**
   * A feature that is not to run.
   *
   * @param version its highest version
   * @param reason why not; empty if it is switched off
   * @param waiting whether its files may still be on their way
   */
  public record Idle(String version, String reason, boolean waiting) {}

  /**
   * What there is to choose from and what to heed.
   *
   * @param program which program this is
   * @param content what lies in the folder
   * @param present what runs now, by feature, without what drains
   * @param installed bundles that are installed now, draining ones too
   * @param base symbolic names that belong to the base
   * @param enabled what the settings say about a feature
   * @param failure why a version must not be tried again; empty if it may
   */
  public record Input(
      String program,
      FolderContent content,
      Map<String, Candidate> present,
      Collection<BundleKey> installed,
      Set<String> base,
      Function<String, Optional<Boolean>> enabled,
      Function<Candidate, String> failure) {}

  /** Highest version first; of two files with the same version the one that runs already. */
  private static Comparator<Candidate> order(Input input) {
    return (a, b) -> {
      int version = b.file().order().compareTo(a.file().order());
      if (version != 0) {
        return version;
      }
      int running = Boolean.compare(runs(input, b), runs(input, a));
      return running != 0 ? running : a.source().toString().compareTo(b.source().toString());
    };
  }

  private static boolean runs(Input input, Candidate candidate) {
    return candidate.equals(input.present().get(candidate.name()));
  }

  /** Chooses. */
  public static Selection of(Input input) {
    return new Selector(input).select();
  }

  /** One choice; whenever a candidate proves impossible the choice begins again without it. */
  private static final class Selector {
    private final Input input;
    private final Map<String, List<Candidate>> byName = new TreeMap<>();
    private final Map<Candidate, String> excluded = new LinkedHashMap<>();
    private final Map<String, Idle> idle = new TreeMap<>();
    private final Map<String, String> notes = new TreeMap<>();

    Selector(Input input) {
      this.input = input;
      for (Candidate candidate : input.content().candidates()) {
        if (candidate.file().programs().contains(input.program())) {
          byName.computeIfAbsent(candidate.name(), n -> new ArrayList<>()).add(candidate);
        }
      }
      byName.values().forEach(l -> l.sort(order(input)));
    }

    Selection select() {
      Map<String, Candidate> chosen = round();
      while (chosen == null) {
        chosen = round();
      }
      for (FolderContent.Broken broken : input.content().broken()) {
        if (!byName.containsKey(broken.name())) {
          idle.put(broken.name(), new Idle("", broken.problem(), false));
        } else {
          notes.merge(broken.name(), broken.problem(), (a, b) -> a);
        }
      }
      return new Selection(sorted(chosen), Map.copyOf(idle), Map.copyOf(notes));
    }

    /** Chooses without what is excluded; null if that brought something to exclude to light. */
    private Map<String, Candidate> round() {
      idle.clear();
      notes.clear();
      Map<String, Candidate> chosen = new TreeMap<>();
      byName.forEach(
          (name, candidates) -> choose(name, candidates).ifPresent(c -> chosen.put(name, c)));
      int before = excluded.size();
      conflicts(chosen);
      if (excluded.size() == before) {
        needs(chosen);
      }
      return excluded.size() == before ? chosen : null;
    }

    private Optional<Candidate> choose(String name, List<Candidate> candidates) {
      Candidate highest = candidates.get(0);
      if (!input.enabled().apply(name).orElse(highest.file().enabled())) {
        idle.put(name, new Idle(highest.version(), "", false));
        return Optional.empty();
      }
      Candidate present = input.present().get(name);
      boolean waiting = false;
      String missing = "";
      String reason = "";
      for (Candidate each : candidates) {
        // What runs stays as it was read then, even if its jars have gone since.
        Candidate candidate = same(each, present) ? present : each;
        String obstacle = candidate.equals(present) ? "" : obstacle(candidate);
        obstacle = excluded.getOrDefault(candidate, obstacle);
        if (obstacle.isEmpty()) {
          note(name, reason);
          return Optional.of(candidate);
        }
        waiting |= candidate.waiting();
        missing = candidate.waiting() ? obstacle : missing;
        reason = reason.isEmpty() && !candidate.waiting() ? obstacle : reason;
        if (present != null && !excluded.containsKey(present)) {
          // What runs is better than an older version, whatever became of its file.
          note(name, reason);
          return Optional.of(present);
        }
      }
      idle.put(name, new Idle(highest.version(), waiting ? missing : reason, waiting));
      return Optional.empty();
    }

    private void note(String name, String reason) {
      if (!reason.isEmpty()) {
        notes.put(name, reason);
      }
    }

    private String obstacle(Candidate candidate) {
      if (!candidate.problem().isEmpty()) {
        return candidate.problem();
      }
      return input.failure().apply(candidate);
    }

    /** Bundles that the base owns, or that are there with the same version and other content. */
    private void conflicts(Map<String, Candidate> chosen) {
      Map<BundleKey, String> seen = new LinkedHashMap<>();
      for (BundleKey key : input.installed()) {
        seen.put(key, "which is installed");
      }
      for (Candidate candidate : chosen.values()) {
        boolean runs = same(candidate, input.present().get(candidate.name()));
        for (BundleKey key : candidate.keys()) {
          String conflict = runs ? "" : conflict(key, seen);
          if (!conflict.isEmpty()) {
            excluded.put(candidate, candidate + ": " + conflict);
            return;
          }
        }
        candidate
            .keys()
            .forEach(k -> seen.put(k, "which the feature " + candidate.name() + " brings"));
      }
    }

    private String conflict(BundleKey key, Map<BundleKey, String> seen) {
      if (input.base().contains(key.symbolicName())) {
        return "the bundle " + key.symbolicName() + " belongs to the base and cannot be replaced";
      }
      for (Map.Entry<BundleKey, String> other : seen.entrySet()) {
        if (key.sameIdentity(other.getKey()) && !key.equals(other.getKey())) {
          return "the bundle %s has another content than the one of the same version %s; raise its version"
              .formatted(key, other.getValue());
        }
      }
      return "";
    }

    private void needs(Map<String, Candidate> chosen) {
      for (Candidate candidate : chosen.values()) {
        for (String need : candidate.file().requires()) {
          if (!chosen.containsKey(need)) {
            excluded.put(candidate, candidate + ": needs the feature " + need + ", " + why(need));
          }
        }
        List<String> circle = circle(candidate.name(), chosen, new ArrayList<>());
        if (!circle.isEmpty()) {
          excluded.put(candidate, candidate + ": needs itself: " + String.join(" -> ", circle));
        }
      }
    }

    private String why(String need) {
      Idle other = idle.get(need);
      if (other == null) {
        return "which is not there";
      }
      return other.reason().isEmpty() ? "which is switched off" : "which cannot run";
    }

    private List<String> circle(String name, Map<String, Candidate> chosen, List<String> path) {
      Set<String> visited = new HashSet<>();
      return circle(name, name, chosen, path, visited);
    }

    private List<String> circle(
        String start,
        String name,
        Map<String, Candidate> chosen,
        List<String> path,
        Set<String> visited) {
      path.add(name);
      Candidate candidate = chosen.get(name);
      if (candidate != null && visited.add(name)) {
        for (String need : candidate.file().requires()) {
          if (need.equals(start)) {
            path.add(start);
            return path;
          }
          List<String> found = circle(start, need, chosen, path, visited);
          if (!found.isEmpty()) {
            return found;
          }
        }
      }
      path.remove(path.size() - 1);
      return List.of();
    }
  }

  private static boolean same(Candidate candidate, Candidate present) {
    return present != null && candidate.contentHash().equals(present.contentHash());
  }

  /** Those that others need come first; there are no circles any more. */
  private static Map<String, Candidate> sorted(Map<String, Candidate> chosen) {
    Map<String, Candidate> sorted = new LinkedHashMap<>();
    Set<String> entered = new LinkedHashSet<>();
    for (String name : chosen.keySet()) {
      visit(name, chosen, entered, sorted);
    }
    return sorted;
  }

  private static void visit(
      String name,
      Map<String, Candidate> chosen,
      Set<String> entered,
      Map<String, Candidate> sorted) {
    Candidate candidate = chosen.get(name);
    if (candidate != null && entered.add(name)) {
      candidate.file().requires().forEach(n -> visit(n, chosen, entered, sorted));
      sorted.put(name, candidate);
    }
  }
}
