package io.pipeops.agent.provision.features;

import io.pipeops.agent.provision.features.PlanRunner.Fault;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/**
 * Remembers which versions failed, so that they are not tried again until their files change. There
 * are two exceptions, tried again at growing intervals: a failure that was the machine's fault, and
 * a feature of which nothing runs, since there is nothing to lose and the machine may only have
 * been too busy for a moment.
 */
final class Failures {
  private static final int MOST = 256;
  private static final Duration FIRST_PAUSE = Duration.ofMinutes(1);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(16);

  private record Failure(String feature, Fault fault, String reason, Duration pause, long at) {}

  private final LongSupplier nanoTime;
  private final Map<String, Failure> failures = new LinkedHashMap<>();
  private final Map<String, Duration> pauses = new HashMap<>();

  Failures(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
  }

  /**
   * A version failed. If its jars were at fault, a change of a jar makes it worth another try;
   * otherwise only a change of its file, since that names every bundle by digest.
   */
  void remember(Candidate candidate, Fault fault, String reason) {
    if (failures.size() >= MOST) {
      failures.remove(failures.keySet().iterator().next());
      pauses.clear();
    }
    String key = fault == Fault.JARS ? withJars(candidate) : candidate.contentHash();
    Duration pause = pauses.getOrDefault(key, FIRST_PAUSE);
    Duration next = pause.multipliedBy(2);
    pauses.put(key, next.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : next);
    failures.put(key, new Failure(candidate.name(), fault, reason, pause, nanoTime.getAsLong()));
  }

  /** A version runs. */
  void forget(Candidate candidate) {
    failures.remove(candidate.contentHash());
    failures.remove(withJars(candidate));
  }

  /**
   * Why a version must not be tried again; empty if it may.
   *
   * @param alone whether nothing runs of a feature
   */
  String of(Candidate candidate, Predicate<String> alone) {
    Failure failure = failures.get(candidate.contentHash());
    if (failure == null) {
      failure = failures.get(withJars(candidate));
    }
    return failure == null || due(failure, alone) ? "" : failure.reason();
  }

  /** Whether there is a version worth another try. */
  boolean due(Predicate<String> alone) {
    return failures.values().stream().anyMatch(f -> due(f, alone));
  }

  private boolean due(Failure failure, Predicate<String> alone) {
    return nanoTime.getAsLong() - failure.at() >= failure.pause().toNanos()
        && (failure.fault() == Fault.MACHINE || alone.test(failure.feature()));
  }

  private static String withJars(Candidate candidate) {
    return candidate.contentHash() + candidate.stamp();
  }
}
