package io.pipeops.agent.provision.features;

import java.util.regex.Pattern;
import org.osgi.framework.Version;

/**
 * A bundle as a feature file names it.
 *
 * @param group Maven group
 * @param artifact Maven artifact
 * @param version Maven version
 * @param sha256 the jar's digest in lower-case hex; empty only in the base's file
 */
public record BundleRef(String group, String artifact, String version, String sha256) {
  /** Nothing that could lead out of a folder. */
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,127}");

  /** Name of the jar that holds it. */
  public String jar() {
    return artifact + "-" + version + ".jar";
  }

  /** Splits {@code group:artifact:version}; null if it has not that form. */
  static String[] coordinates(String id) {
    String[] parts = id.split(":", -1);
    if (parts.length != 3) {
      return null;
    }
    for (String part : parts) {
      if (!PART.matcher(part).matches()) {
        return null;
      }
    }
    return parts;
  }

  /**
   * A Maven version as OSGi compares it; {@code 1.2.3-rc1} is {@code 1.2.3.rc1}.
   *
   * @throws IllegalArgumentException if it has not that form
   */
  static Version osgi(String version) {
    int dash = version.indexOf('-');
    if (dash < 0) {
      return Version.parseVersion(version);
    }
    Version numbers = Version.parseVersion(version.substring(0, dash));
    return new Version(
        numbers.getMajor(),
        numbers.getMinor(),
        numbers.getMicro(),
        version.substring(dash + 1).replace('.', '-').replace('+', '-'));
  }
}
