package io.pipeops.agent.provision.features;

import java.util.List;

/**
 * What lies in the folder.
 *
 * @param candidates features that were understood
 * @param broken files that were not
 */
public record FolderContent(List<Candidate> candidates, List<Broken> broken) {
  /**
   * A file that is not understood.
   *
   * @param name the feature it is probably about
   * @param problem what is wrong with it
   */
  public record Broken(String name, String problem) {}

  public static final FolderContent EMPTY = new FolderContent(List.of(), List.of());

  public FolderContent {
    candidates = List.copyOf(candidates);
    broken = List.copyOf(broken);
  }

  /** Whether files seem to be on their way. */
  public boolean waiting() {
    return candidates.stream().anyMatch(Candidate::waiting);
  }
}
