package io.pipeops.agent.provision.features;

import io.pipeops.agent.provision.settings.MetatypeReader;
import io.pipeops.agent.provision.settings.Setting;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import org.osgi.framework.Constants;
import org.osgi.framework.Version;

/**
 * What a bundle's jar says about itself.
 *
 * @param symbolicName its symbolic name
 * @param version its version
 * @param settings the settings it declares
 */
public record BundleJar(String symbolicName, Version version, List<Setting> settings) {
  private static final String METATYPE = "OSGI-INF/metatype/";

  /** Longest metatype resource. */
  private static final long MAX_METATYPE = 1 << 20;

  public BundleJar {
    settings = List.copyOf(settings);
  }

  /**
   * Reads a jar.
   *
   * @throws IOException if it is not a readable bundle; the message can be shown
   */
  public static BundleJar read(Path path) throws IOException {
    try (JarFile jar = new JarFile(path.toFile(), false)) {
      Manifest manifest = jar.getManifest();
      if (manifest == null) {
        throw new IOException(path.getFileName() + " has no manifest");
      }
      Attributes main = manifest.getMainAttributes();
      String name = main.getValue(Constants.BUNDLE_SYMBOLICNAME);
      if (name == null) {
        throw new IOException(path.getFileName() + " is not a bundle: no Bundle-SymbolicName");
      }
      return new BundleJar(name.split(";", 2)[0].strip(), version(main, path), settings(jar));
    } catch (IOException unreadable) {
      String message = String.valueOf(unreadable.getMessage());
      throw message.contains(path.getFileName().toString())
          ? unreadable
          : new IOException(path.getFileName() + " is not a readable jar: " + message, unreadable);
    }
  }

  private static Version version(Attributes main, Path path) throws IOException {
    try {
      return Version.parseVersion(main.getValue(Constants.BUNDLE_VERSION));
    } catch (IllegalArgumentException malformed) {
      throw new IOException(path.getFileName() + " has a malformed Bundle-Version", malformed);
    }
  }

  private static List<Setting> settings(JarFile jar) throws IOException {
    List<Setting> settings = new ArrayList<>();
    for (Enumeration<JarEntry> all = jar.entries(); all.hasMoreElements(); ) {
      JarEntry entry = all.nextElement();
      if (entry.getName().startsWith(METATYPE) && entry.getName().endsWith(".xml")) {
        if (entry.getSize() > MAX_METATYPE) {
          throw new IOException(entry.getName() + " is too large");
        }
        try (InputStream xml = jar.getInputStream(entry)) {
          settings.addAll(MetatypeReader.read(xml));
        }
      }
    }
    return settings;
  }
}
