package io.pipeops.agent.provision.features;

import java.util.LinkedHashMap;
import java.util.Map;

/** Remembers which versions failed, so that they are not tried again until their files change. */
final class Failures {
  private static final int MOST = 256;

  private final Map<String, String> reasons = new LinkedHashMap<>();

  /**
   * A version failed.
   *
   * @param jars whether its jars were at fault; then a change of a jar makes it worth another try,
   *     otherwise only a change of its file, since that names every bundle by digest
   */
  void remember(Candidate candidate, boolean jars, String reason) {
    if (reasons.size() >= MOST) {
      reasons.remove(reasons.keySet().iterator().next());
    }
    reasons.put(jars ? withJars(candidate) : candidate.contentHash(), reason);
  }

  /** Why a version must not be tried again; empty if it may. */
  String of(Candidate candidate) {
    String reason = reasons.get(candidate.contentHash());
    return reason != null ? reason : reasons.getOrDefault(withJars(candidate), "");
  }

  private static String withJars(Candidate candidate) {
    return candidate.contentHash() + candidate.stamp();
  }
}
