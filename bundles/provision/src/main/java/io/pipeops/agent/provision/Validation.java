package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleDigest;
import io.pipeops.agent.provision.features.Candidate;
import io.pipeops.agent.provision.features.FeatureRuntime;
import io.pipeops.agent.provision.features.FolderContent;
import io.pipeops.agent.provision.settings.Evaluation;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Checks settings, feature files and digests, says what it found, and starts nothing. */
final class Validation {
  private final Environment environment;
  private final boolean missing;
  private final Consumer<String> out;

  Validation(Environment environment, boolean missing, Consumer<String> out) {
    this.environment = environment;
    this.missing = missing;
    this.out = out;
  }

  /** Checks; true if there is nothing to complain about. */
  boolean run(
      List<String> problems,
      Evaluation settings,
      FolderContent content,
      FeatureRuntime features,
      FeatureRuntime.Request request) {
    List<String> complaints = new ArrayList<>(problems);
    if (missing) {
      complaints.add(environment.settingsFile() + ": is not there");
    }
    if (complaints.isEmpty()) {
      out.accept("ok: settings, %d given".formatted(settings.settings().size()));
      settings.settings().masked().forEach(line -> out.accept("    " + line));
    }
    settings.warnings().forEach(w -> out.accept("warning: " + w));
    if (!settings.withoutEffect().isEmpty()) {
      out.accept(
          "note: accepted for compatibility, has no effect: "
              + String.join(", ", settings.withoutEffect()));
    }
    for (Candidate candidate : content.candidates()) {
      if (candidate.problem().isEmpty()) {
        digests(candidate, complaints);
      }
    }
    features
        .complaints(request)
        .forEach((name, reason) -> complaints.add("feature " + name + ": " + reason));
    features.preview(request).lines().forEach(line -> out.accept("plan: " + line));
    complaints.forEach(c -> out.accept("problem: " + c));
    out.accept(complaints.isEmpty() ? "ok: all checks passed" : complaints.size() + " problems");
    return complaints.isEmpty();
  }

  private void digests(Candidate candidate, List<String> complaints) {
    boolean good = true;
    for (Candidate.Jar jar : candidate.jars()) {
      try {
        String found = BundleDigest.of(jar.path());
        if (!found.equals(jar.ref().sha256())) {
          good = false;
          complaints.add(
              "%s: %s has the digest %s, but the feature file says %s"
                  .formatted(
                      candidate.source().getFileName(),
                      jar.path().getFileName(),
                      found,
                      jar.ref().sha256()));
        }
      } catch (IOException unreadable) {
        good = false;
        complaints.add(jar.path().getFileName() + ": " + unreadable.getMessage());
      }
    }
    if (good) {
      out.accept("ok: feature %s, %d bundles".formatted(candidate, candidate.jars().size()));
    }
  }
}
