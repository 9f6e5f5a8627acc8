package io.pipeops.agent.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/**
 * What the class path offers to bundles, as the build found it: exported packages, capabilities,
 * and which jars are bundles themselves.
 */
final class SystemPackages {
  /**
   * Packages that some library imports but never calls here, and whose JDK modules the trimmed run
   * time leaves out. Without them the bundle would not resolve.
   */
  private static final String IMPORTED_NEVER_CALLED =
      "java.awt,java.beans,javax.imageio,java.rmi,java.rmi.registry,java.rmi.server,javax.rmi.ssl,"
          + "javax.management.remote,javax.management.remote.rmi";

  private final Properties generated = new Properties();
  private final Properties base = new Properties();
  private final String packages;

  SystemPackages() throws IOException {
    if (!load(generated, "system.properties")) {
      throw new IOException("The launcher was built without its list of system packages");
    }
    Properties hub = new Properties();
    String ours = generated.getProperty("packages") + "," + IMPORTED_NEVER_CALLED;
    packages = load(hub, "hub.properties") ? ours + "," + hub.getProperty("packages") : ours;
    load(base, "base.properties");
  }

  private static boolean load(Properties into, String resource) throws IOException {
    try (InputStream in = SystemPackages.class.getResourceAsStream(resource)) {
      if (in != null) {
        into.load(in);
      }
      return in != null;
    }
  }

  /** Those of the launcher's class path, and those of the hub's where {@code hub-launcher} runs. */
  String packages() {
    return packages;
  }

  String capabilities() {
    return generated.getProperty("capabilities");
  }

  /** Service bundles by location, each with a class file by which its jar is found. */
  Map<String, String> serviceBundles() {
    return connected(generated);
  }

  /**
   * Bundles of the base by location, in the same form. There is none where the launcher runs
   * outside an image, such as in a test container; then they are installed as jars.
   */
  Map<String, String> baseBundles() {
    return base.isEmpty() ? Map.of() : connected(base);
  }

  private static Map<String, String> connected(Properties from) {
    Map<String, String> bundles = new LinkedHashMap<>();
    Arrays.stream(from.getProperty("connect").split(","))
        .map(entry -> entry.split("=", 2))
        .forEach(pair -> bundles.put(LibraryConnector.SCHEME + pair[0], pair[1]));
    return bundles;
  }
}
