package io.pipeops.agent.launcher;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The bundles that are always there, from a feature file in the form of the OSGi Feature Service.
 * Their digests are not checked here: who can change them can change this launcher.
 */
final class BaseFeature {
  /** Contracts start before the platform, so that they stop after it. */
  private static final int CONTRACT_LEVEL = 10;

  private static final int PLATFORM_LEVEL = 20;

  /** Where the framework finds one bundle, and the start level it gets. */
  record BaseBundle(String location, int startLevel) {}

  private final List<BaseBundle> bundles;

  private BaseFeature(List<BaseBundle> bundles) {
    this.bundles = bundles;
  }

  List<BaseBundle> bundles() {
    return bundles;
  }

  /**
   * Reads a feature file.
   *
   * @param connected locations of bundles that the class path has; the others are jars in the
   *     folder
   * @throws IOException if the distribution is not whole
   */
  static BaseFeature read(Path file, Path bundleDir, Set<String> connected) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new IOException("The distribution is not whole: there is no " + file);
    }
    List<BaseBundle> bundles = new ArrayList<>();
    for (String id : ids(file)) {
      String[] parts = id.split(":");
      if (parts.length != 3) {
        throw new IOException(file + ": '" + id + "' is not group:artifact:version");
      }
      Path jar = bundleDir.resolve(parts[1] + "-" + parts[2] + ".jar");
      if (!Files.isRegularFile(jar)) {
        throw new IOException("The distribution is not whole: " + file + " names " + jar);
      }
      String onClassPath = LibraryConnector.SCHEME + jar.getFileName();
      String location = connected.contains(onClassPath) ? onClassPath : "reference:" + jar.toUri();
      boolean contract = parts[1].endsWith(".api") || parts[1].endsWith(".protocol");
      bundles.add(new BaseBundle(location, contract ? CONTRACT_LEVEL : PLATFORM_LEVEL));
    }
    return new BaseFeature(List.copyOf(bundles));
  }

  /** Token by token: data binding alone would cost every start some hundred classes. */
  private static List<String> ids(Path file) throws IOException {
    List<String> ids = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      json.nextToken();
      for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
        if (json.nextToken() == JsonToken.START_ARRAY && name.equals("bundles")) {
          while (json.nextToken() == JsonToken.START_OBJECT) {
            ids.add(id(json));
          }
        } else {
          json.skipChildren();
        }
      }
    }
    return ids;
  }

  private static String id(JsonParser json) throws IOException {
    String id = "";
    for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
      json.nextToken();
      if (name.equals("id")) {
        id = json.getText();
      }
      json.skipChildren();
    }
    return id;
  }
}
