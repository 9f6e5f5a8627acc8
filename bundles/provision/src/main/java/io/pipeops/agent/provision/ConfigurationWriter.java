package io.pipeops.agent.provision;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes configurations, and only those whose content changed: everything else would rebuild
 * components for nothing. Used by one thread.
 */
final class ConfigurationWriter {
  private static final Logger log = LoggerFactory.getLogger(ConfigurationWriter.class);

  /** Bound to no bundle, so that two versions of one can have it. */
  private static final String ANY = "?";

  private final ConfigurationAdmin admin;
  private final Map<String, Map<String, Object>> written = new HashMap<>();
  private final Map<String, Configuration> configurations = new HashMap<>();

  ConfigurationWriter(ConfigurationAdmin admin) {
    this.admin = admin;
  }

  /**
   * Makes the given configurations the ones there are.
   *
   * @param wanted properties by PID; {@code pid~name} is one of a factory
   * @return PIDs that were changed
   */
  List<String> apply(Map<String, Map<String, Object>> wanted) {
    List<String> changed = new ArrayList<>();
    wanted.forEach(
        (pid, properties) -> {
          if (!same(properties, written.get(pid)) && write(pid, properties)) {
            changed.add(pid);
          }
        });
    for (String pid : List.copyOf(written.keySet())) {
      if (!wanted.containsKey(pid) && remove(pid)) {
        changed.add(pid);
      }
    }
    return changed;
  }

  private boolean write(String pid, Map<String, Object> properties) {
    try {
      Configuration configuration = configurations.get(pid);
      if (configuration == null) {
        int tilde = pid.indexOf('~');
        configuration =
            tilde < 0
                ? admin.getConfiguration(pid, ANY)
                : admin.getFactoryConfiguration(
                    pid.substring(0, tilde), pid.substring(tilde + 1), ANY);
        configurations.put(pid, configuration);
      }
      Dictionary<String, Object> dictionary = new Hashtable<>(properties);
      configuration.update(dictionary);
      written.put(pid, Map.copyOf(properties));
      return true;
    } catch (IOException | RuntimeException failed) {
      log.error(
          "Could not write the configuration pid={}; tried again at the next change", pid, failed);
      return false;
    }
  }

  private boolean remove(String pid) {
    try {
      configurations.remove(pid).delete();
    } catch (IOException | RuntimeException failed) {
      log.warn("Could not remove the configuration pid={}: {}", pid, failed.toString());
    }
    written.remove(pid);
    return true;
  }

  private static boolean same(Map<String, Object> left, Map<String, Object> right) {
    return right != null
        && left.keySet().equals(right.keySet())
        && left.entrySet().stream()
            .allMatch(e -> Objects.deepEquals(e.getValue(), right.get(e.getKey())));
  }
}
