package io.pipeops.agent.provision.features;

import java.util.List;
import java.util.Map;
import org.osgi.framework.Version;

/**
 * A feature as its file describes it.
 *
 * @param name short name
 * @param version its version as written
 * @param order its version as it is compared
 * @param description what it is for
 * @param bundles its bundles
 * @param configurations typed properties by PID
 * @param programs programs that it belongs to
 * @param enabled whether it runs if nobody says otherwise
 * @param requires names of the features it needs
 */
public record FeatureFile(
    String name,
    String version,
    Version order,
    String description,
    List<BundleRef> bundles,
    Map<String, Map<String, ConfigurationValue>> configurations,
    List<String> programs,
    boolean enabled,
    List<String> requires) {
  public FeatureFile {
    bundles = List.copyOf(bundles);
    configurations = Map.copyOf(configurations);
    programs = List.copyOf(programs);
    requires = List.copyOf(requires);
  }
}
