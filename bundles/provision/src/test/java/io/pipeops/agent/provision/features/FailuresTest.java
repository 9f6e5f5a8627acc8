package io.pipeops.agent.provision.features;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.provision.features.PlanRunner.Fault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Version;

class FailuresTest {
  private final AtomicLong now = new AtomicLong();
  private final Failures failures = new Failures(now::get);

  private static Candidate candidate(String hash, String stamp) {
    FeatureFile file =
        new FeatureFile(
            "a",
            "1.0.0",
            Version.emptyVersion,
            "",
            List.of(),
            Map.of(),
            List.of(),
            true,
            List.of());
    return new Candidate(file, Path.of("a.json"), hash, List.of(), stamp, "", false);
  }

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
  }

  private boolean blocked(Candidate candidate, boolean alone) {
    return !failures.of(candidate, name -> alone).isEmpty();
  }

  @Test
  void aVersionThatFailedIsTriedAgainOnlyWhenItsFileChanges() {
    failures.remember(candidate("one", "x"), Fault.CONTENT, "ill");
    pass(Duration.ofDays(1));
    assertTrue(blocked(candidate("one", "x"), false));
    assertTrue(blocked(candidate("one", "y"), false));
    assertFalse(blocked(candidate("two", "x"), false));
  }

  @Test
  void aWrongJarIsTriedAgainWhenTheJarChanges() {
    failures.remember(candidate("one", "x"), Fault.JARS, "wrong digest");
    assertTrue(blocked(candidate("one", "x"), false));
    assertFalse(blocked(candidate("one", "y"), false));
  }

  @Test
  void aFeatureOfWhichNothingRunsIsTriedAgainAtGrowingIntervals() {
    Candidate candidate = candidate("one", "x");
    for (int minutes : new int[] {1, 2, 4, 8, 16, 16}) {
      failures.remember(candidate, Fault.CONTENT, "ill");
      pass(Duration.ofMinutes(minutes).minusNanos(1));
      assertTrue(blocked(candidate, true));
      assertFalse(failures.due(name -> true));
      pass(Duration.ofNanos(1));
      assertFalse(blocked(candidate, true));
      assertTrue(failures.due(name -> true));
    }
  }

  @Test
  void aFullDiskIsNobodysFault() {
    failures.remember(candidate("one", "x"), Fault.MACHINE, "no space");
    assertTrue(blocked(candidate("one", "x"), false));
    pass(Duration.ofMinutes(1));
    assertFalse(blocked(candidate("one", "x"), false));
  }

  @Test
  void whatRunsIsForgottenAndMemoryIsBounded() {
    failures.remember(candidate("one", "x"), Fault.CONTENT, "ill");
    failures.forget(candidate("one", "x"));
    assertEquals("", failures.of(candidate("one", "x"), name -> false));
    for (int i = 0; i < 1000; i++) {
      failures.remember(candidate("h" + i, "x"), Fault.CONTENT, "ill");
    }
    assertFalse(blocked(candidate("h0", "x"), false));
    assertTrue(blocked(candidate("h999", "x"), false));
  }
}
