package io.pipeops.agent.provision.features;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A version of a feature that lies in the folder and could run.
 *
 * @param file what its file says
 * @param source the file
 * @param contentHash digest of the file, which names its bundles by digest, so of the whole
 * @param jars its bundles, in the file's order
 * @param stamp changes when one of its jars does
 * @param problem what is wrong with its jars; empty if nothing is
 * @param waiting whether that may be only because files are still being copied
 */
public record Candidate(
    FeatureFile file,
    Path source,
    String contentHash,
    List<Jar> jars,
    String stamp,
    String problem,
    boolean waiting) {
  /**
   * One bundle of it.
   *
   * @param ref how the file names it
   * @param path where it lies
   * @param content what the jar says about itself
   */
  public record Jar(BundleRef ref, Path path, BundleJar content) {
    public BundleKey key() {
      return new BundleKey(content.symbolicName(), content.version().toString(), ref.sha256());
    }
  }

  public Candidate {
    jars = List.copyOf(jars);
  }

  public String name() {
    return file.name();
  }

  public String version() {
    return file.version();
  }

  /** Its bundles, in the file's order. */
  public List<BundleKey> keys() {
    List<BundleKey> keys = new ArrayList<>();
    for (Jar jar : jars) {
      keys.add(jar.key());
    }
    return keys;
  }

  /**
   * Whether both are the same reading of the same file and jars. Written out, because a record's
   * own comparison is generated when it is first used, and the start has to pay for that.
   */
  @Override
  public boolean equals(Object other) {
    return other instanceof Candidate that
        && source.equals(that.source)
        && contentHash.equals(that.contentHash)
        && stamp.equals(that.stamp)
        && problem.equals(that.problem)
        && waiting == that.waiting;
  }

  @Override
  public int hashCode() {
    return 31 * source.hashCode() + contentHash.hashCode();
  }

  @Override
  public String toString() {
    return name() + " " + version();
  }
}
