package io.pipeops.agent.provision.features;

import io.pipeops.agent.provision.features.FolderContent.Broken;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Follows the features folder by comparing stamps, once for each call of {@link #changed}; symbolic
 * links are followed, so that a ConfigMap's swap is seen. Used by one thread.
 */
public final class FeatureFolder {
  private static final int MAX_FILES = 256;

  /** How long a feature file may be there before its jars. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final Path folder;
  private final List<Path> jarFolders;
  private final LongSupplier nanoTime;

  private Map<Path, String> stamps = new TreeMap<>();
  private Map<Path, String> pending = Map.of();
  private final Map<Path, Parsed> parsed = new HashMap<>();
  private final Map<Path, Long> incompleteSince = new HashMap<>();
  private final Map<String, BundleJar> jars = new HashMap<>();
  private boolean first = true;
  private boolean waiting;

  /**
   * What the content of one file was.
   *
   * @param stamp the file's stamp when it was read
   * @param hash digest of the content
   * @param feature the feature; the last good one if the present content is bad
   * @param problem what is wrong with the present content; empty if nothing
   */
  private record Parsed(String stamp, String hash, FeatureFile feature, String problem) {}

  /**
   * Follows a folder.
   *
   * @param folder where feature files, and perhaps their jars, lie
   * @param bundles where jars lie that are not beside their file
   */
  public FeatureFolder(Path folder, Path bundles) {
    this(folder, bundles, System::nanoTime);
  }

  FeatureFolder(Path folder, Path bundles, LongSupplier nanoTime) {
    this.folder = folder;
    this.jarFolders = folder.equals(bundles) ? List.of(folder) : List.of(folder, bundles);
    this.nanoTime = nanoTime;
  }

  /**
   * Whether {@link #read} would say something new. A change counts once nothing has changed since
   * the call before, because a file may be in the middle of being written.
   */
  public boolean changed() {
    if (waiting && overdue()) {
      return true;
    }
    Map<Path, String> now = look();
    if (now.equals(stamps)) {
      pending = Map.of();
      return false;
    }
    if (now.equals(pending)) {
      return true;
    }
    pending = now;
    return false;
  }

  private boolean overdue() {
    long now = nanoTime.getAsLong();
    return incompleteSince.values().stream().anyMatch(s -> now - s >= PATIENCE.toNanos());
  }

  /** Reads what has changed and says what there is. */
  public FolderContent read() {
    stamps = new TreeMap<>(look());
    stamps.keySet().removeIf(p -> !isFeature(p));
    pending = Map.of();
    List<Candidate> candidates = new ArrayList<>();
    List<Broken> broken = new ArrayList<>();
    Set<Path> files = new HashSet<>();
    for (Path file : List.copyOf(stamps.keySet())) {
      files.add(file);
      Parsed content = parse(file, stamps.get(file));
      if (content.feature() != null) {
        candidates.add(candidate(file, content));
      }
      if (!content.problem().isEmpty()) {
        broken.add(new Broken(guess(file, content), content.problem()));
      }
    }
    parsed.keySet().retainAll(files);
    incompleteSince.keySet().retainAll(files);
    FolderContent content = new FolderContent(candidates, broken);
    waiting = content.waiting();
    first = false;
    return content;
  }

  private static String guess(Path file, Parsed content) {
    if (content.feature() != null) {
      return content.feature().name();
    }
    String name = file.getFileName().toString().replaceFirst("\\.json$", "");
    return name.startsWith("feature-") ? name.substring("feature-".length()) : name;
  }

  private Parsed parse(Path file, String stamp) {
    Parsed earlier = parsed.get(file);
    if (earlier != null && earlier.stamp().equals(stamp)) {
      return earlier;
    }
    FeatureFile good = earlier == null ? null : earlier.feature();
    Parsed result;
    try {
      byte[] content = BundleDigest.bounded(file, FeatureFileReader.MAX_BYTES);
      String hash = BundleDigest.of(content);
      result =
          earlier != null && earlier.hash().equals(hash)
              ? new Parsed(stamp, hash, good, earlier.problem())
              : new Parsed(
                  stamp, hash, FeatureFileReader.read(file.getFileName().toString(), content), "");
    } catch (BadFeature malformed) {
      result = new Parsed(stamp, hashOf(earlier), good, malformed.getMessage());
    } catch (IOException unreadable) {
      result =
          new Parsed(
              stamp,
              hashOf(earlier),
              good,
              file.getFileName() + ": not readable: " + unreadable.getMessage());
    }
    parsed.put(file, result);
    return result;
  }

  private static String hashOf(Parsed earlier) {
    return earlier == null ? "" : earlier.hash();
  }

  private Candidate candidate(Path file, Parsed content) {
    List<Candidate.Jar> found = new ArrayList<>();
    StringBuilder stamp = new StringBuilder();
    String problem = "";
    boolean missing = false;
    for (BundleRef ref : content.feature().bundles()) {
      Path path = find(ref);
      String jarStamp = path == null ? "" : stamps.get(path);
      stamp.append(jarStamp).append('|');
      try {
        if (jarStamp.isEmpty()) {
          missing = true;
          throw new NoSuchFileException(ref.jar());
        }
        found.add(new Candidate.Jar(ref, path, jar(path, jarStamp)));
      } catch (NoSuchFileException absent) {
        problem =
            problem.isEmpty()
                ? "%s: %s is missing; looked in %s"
                    .formatted(file.getFileName(), ref.jar(), join(jarFolders))
                : problem;
      } catch (IOException unreadable) {
        // A jar may be half copied, so it is waited for like a missing one.
        missing = true;
        problem = problem.isEmpty() ? file.getFileName() + ": " + unreadable.getMessage() : problem;
      }
    }
    return new Candidate(
        content.feature(),
        file,
        content.hash(),
        found,
        stamp.toString(),
        problem,
        missing && patient(file));
  }

  /** Whether there is still hope; at the very start nothing is on its way. */
  private boolean patient(Path file) {
    long now = nanoTime.getAsLong();
    long since = incompleteSince.computeIfAbsent(file, f -> first ? now - PATIENCE.toNanos() : now);
    return now - since < PATIENCE.toNanos();
  }

  private static String join(List<Path> folders) {
    return String.join(" and ", folders.stream().map(Path::toString).toList());
  }

  private BundleJar jar(Path path, String stamp) throws IOException {
    BundleJar known = jars.get(path + stamp);
    if (known == null) {
      known = BundleJar.read(path);
      jars.keySet().removeIf(k -> k.startsWith(path.toString()));
      jars.put(path + stamp, known);
    }
    return known;
  }

  /** Where the jar lies; the stamps are those from before it is read, so no change is missed. */
  private Path find(BundleRef ref) {
    Path found = null;
    for (Path place : jarFolders) {
      Path path = place.resolve(ref.jar());
      String stamp = stamp(path);
      stamps.put(path, stamp);
      found = found == null && !stamp.isEmpty() ? path : found;
    }
    return found;
  }

  private Map<Path, String> look() {
    Map<Path, String> seen = new TreeMap<>();
    // No glob: it would be compiled anew at every look, and looks are all that an idle agent does.
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, FeatureFolder::isFeature)) {
      for (Path file : all) {
        if (seen.size() < MAX_FILES && !file.getFileName().toString().startsWith("base")) {
          seen.put(file, stamp(file));
        }
      }
    } catch (IOException absent) {
      return seen;
    }
    for (Parsed content : parsed.values()) {
      if (content.feature() != null) {
        for (BundleRef ref : content.feature().bundles()) {
          for (Path place : jarFolders) {
            Path path = place.resolve(ref.jar());
            seen.put(path, stamp(path));
          }
        }
      }
    }
    return seen;
  }

  private static boolean isFeature(Path path) {
    return path.toString().endsWith(".json");
  }

  /** Changes with the file's content, as far as that can be told without reading it. */
  public static String stamp(Path path) {
    try {
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      return Objects.toString(attributes.fileKey(), "")
          + attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS)
          + "/"
          + attributes.size();
    } catch (IOException absent) {
      return "";
    }
  }
}
