package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BadFeature;
import io.pipeops.agent.provision.features.BundleDigest;
import io.pipeops.agent.provision.features.BundleJar;
import io.pipeops.agent.provision.features.BundleRef;
import io.pipeops.agent.provision.features.ConfigurationValue;
import io.pipeops.agent.provision.features.FeatureFile;
import io.pipeops.agent.provision.features.FeatureFileReader;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The base as its files {@code base*.json} name it. It is fixed for the life of the process.
 *
 * @param jars what its jars say
 * @param configurations values that its files give, by PID
 * @param problems files that could not be read
 */
record BaseBundles(
    List<BundleJar> jars,
    Map<String, Map<String, ConfigurationValue>> configurations,
    List<String> problems) {
  /** Reads the base's files and the jars they name. */
  static BaseBundles read(Path features, Path bundles) {
    List<BundleJar> jars = new ArrayList<>();
    Map<String, Map<String, ConfigurationValue>> configurations = new HashMap<>();
    List<String> problems = new ArrayList<>();
    TreeSet<String> seen = new TreeSet<>();
    for (Path file : files(features)) {
      try {
        FeatureFile base =
            FeatureFileReader.readBase(
                file.getFileName().toString(),
                BundleDigest.bounded(file, FeatureFileReader.MAX_BYTES));
        base.configurations()
            .forEach(
                (pid, values) ->
                    configurations.computeIfAbsent(pid, p -> new HashMap<>()).putAll(values));
        for (BundleRef ref : base.bundles()) {
          if (seen.add(ref.jar())) {
            jars.add(BundleJar.read(bundles.resolve(ref.jar())));
          }
        }
      } catch (BadFeature malformed) {
        problems.add(malformed.getMessage());
      } catch (IOException unreadable) {
        problems.add(file.getFileName() + ": " + unreadable.getMessage());
      }
    }
    return new BaseBundles(jars, configurations, problems);
  }

  private static List<Path> files(Path features) {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(features, "base*.json")) {
      all.forEach(files::add);
    } catch (IOException absent) {
      return List.of();
    }
    files.sort(null);
    return files;
  }
}
