package io.pipeops.agent.provision;

import io.pipeops.agent.api.feature.Handover;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.osgi.service.component.annotations.Component;

/** Keeps what features leave for their successors in memory. Safe for all threads. */
@Component
public final class HandoverStore implements Handover {
  private static final int MAX_ENTRY = 256 * 1024;
  private static final int MAX_ALL = 4 * 1024 * 1024;
  private static final int MAX_KEY = 256;
  private static final int MAX_ENTRIES = 4096;

  private final Map<String, Entry> entries = new HashMap<>();
  private long total;

  @Override
  public synchronized void leave(String key, int format, String json) {
    if (key.isEmpty() || key.length() > MAX_KEY) {
      throw new IllegalArgumentException("A key has 1 to " + MAX_KEY + " characters");
    }
    long size = size(json);
    if (size > MAX_ENTRY) {
      throw new IllegalArgumentException(
          "The entry " + key + " has " + size + " bytes, more than " + MAX_ENTRY);
    }
    Entry former = entries.get(key);
    long after = total + size - (former == null ? 0 : size(former.json()));
    if (after > MAX_ALL || (former == null && entries.size() == MAX_ENTRIES)) {
      throw new IllegalArgumentException(
          "No room for the entry " + key + ": all together may have " + MAX_ALL + " bytes");
    }
    entries.put(key, new Entry(format, json));
    total = after;
  }

  @Override
  public synchronized Optional<Entry> take(String key) {
    Entry entry = entries.remove(key);
    if (entry != null) {
      total -= size(entry.json());
    }
    return Optional.ofNullable(entry);
  }

  private static long size(String json) {
    return json.getBytes(StandardCharsets.UTF_8).length;
  }
}
