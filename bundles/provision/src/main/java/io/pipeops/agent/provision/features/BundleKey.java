package io.pipeops.agent.provision.features;

/**
 * Which bundle: the framework knows it by name and version, we also by content.
 *
 * @param symbolicName its symbolic name
 * @param version its version
 * @param sha256 the jar's digest
 */
public record BundleKey(String symbolicName, String version, String sha256) {
  /** Whether the framework would take both for the same bundle. */
  boolean sameIdentity(BundleKey other) {
    return symbolicName.equals(other.symbolicName) && version.equals(other.version);
  }

  @Override
  public String toString() {
    return symbolicName + " " + version;
  }
}
