package io.pipeops.agent.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The bundles that are always there, from a feature file in the form of the OSGi Feature Service.
 * Their digests are not checked here: who can change them can change this launcher.
 */
final class BaseFeature {
  /** Contracts start before the platform, so that they stop after it. */
  private static final int CONTRACT_LEVEL = 10;

  private static final int PLATFORM_LEVEL = 20;

  /** One bundle and the start level it gets. */
  record BaseBundle(Path jar, int startLevel) {}

  private final List<BaseBundle> bundles;

  private BaseFeature(List<BaseBundle> bundles) {
    this.bundles = bundles;
  }

  List<BaseBundle> bundles() {
    return bundles;
  }

  static BaseFeature read(Path file, Path bundleDir) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new IOException("The distribution is not whole: there is no " + file);
    }
    JsonNode root = new ObjectMapper().readTree(file.toFile());
    List<BaseBundle> bundles = new ArrayList<>();
    for (JsonNode bundle : root.path("bundles")) {
      String id = bundle.path("id").asText();
      String[] parts = id.split(":");
      if (parts.length != 3) {
        throw new IOException(file + ": '" + id + "' is not group:artifact:version");
      }
      Path jar = bundleDir.resolve(parts[1] + "-" + parts[2] + ".jar");
      if (!Files.isRegularFile(jar)) {
        throw new IOException("The distribution is not whole: " + file + " names " + jar);
      }
      boolean contract = parts[1].endsWith(".api") || parts[1].endsWith(".protocol");
      bundles.add(new BaseBundle(jar, contract ? CONTRACT_LEVEL : PLATFORM_LEVEL));
    }
    return new BaseFeature(List.copyOf(bundles));
  }
}
