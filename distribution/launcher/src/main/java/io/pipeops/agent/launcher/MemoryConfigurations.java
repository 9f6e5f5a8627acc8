package io.pipeops.agent.launcher;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Dictionary;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.felix.cm.PersistenceManager;

/**
 * Keeps Configuration Admin's configurations in memory only: they are derived from files at each
 * start, may hold a token, and must not need a writable disk.
 */
@SuppressWarnings("rawtypes") // as the interface has it
final class MemoryConfigurations implements PersistenceManager {
  static final String NAME = "memory";

  private final Map<String, Dictionary> configurations = new ConcurrentHashMap<>();

  @Override
  public boolean exists(String pid) {
    return configurations.containsKey(pid);
  }

  @Override
  public Dictionary load(String pid) throws IOException {
    Dictionary found = configurations.get(pid);
    if (found == null) {
      throw new IOException("No configuration " + pid);
    }
    return found;
  }

  @Override
  public Enumeration getDictionaries() {
    List<Dictionary> all = new ArrayList<>(configurations.values());
    return Collections.enumeration(all);
  }

  @Override
  public void store(String pid, Dictionary properties) {
    configurations.put(pid, properties);
  }

  @Override
  public void delete(String pid) {
    configurations.remove(pid);
  }
}
