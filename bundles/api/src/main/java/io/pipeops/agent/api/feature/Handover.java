package io.pipeops.agent.api.feature;

import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/**
 * What one version of a feature leaves for the next, by value. Kept in memory for the life of the
 * process; at most 256 KiB an entry and 4 MiB in all.
 */
@ProviderType
public interface Handover {
  /**
   * Leaves an entry, replacing an earlier one with the same key.
   *
   * @throws IllegalArgumentException if it is too large
   */
  void leave(String key, int format, String json);

  /** Takes an entry away. */
  Optional<Entry> take(String key);

  /**
   * What was left.
   *
   * @param format number that the feature raises when it changes the form
   * @param json the text
   */
  record Entry(int format, String json) {}
}
