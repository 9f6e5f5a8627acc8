package io.pipeops.agent.api.feature;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/** What the agent consists of at this moment. */
@ProviderType
public interface Features {
  /**
   * All features by name, switched off or not; a version that is draining is listed beside its
   * successor.
   */
  List<FeatureStatus> list();

  /** Whether the first plan has been carried out. */
  boolean settled();
}
