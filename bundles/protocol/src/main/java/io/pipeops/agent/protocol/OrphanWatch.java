package io.pipeops.agent.protocol;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds what this side holds and the other has not named for a while. What is missing once may only
 * have crossed the other's list on its way. For one thread at a time.
 *
 * @param <K> what the ids are
 */
public final class OrphanWatch<K> {
  private final long patience;
  private Map<K, Long> missing = Map.of();

  /**
   * For one connection.
   *
   * @param patience how long an id has to be missing, between two lists at least
   */
  public OrphanWatch(Duration patience) {
    this.patience = patience.toNanos();
  }

  /**
   * Compares with a list of the other side.
   *
   * @param ours what is alive here now
   * @param theirs what the other side has named
   * @param now the present, by {@code System.nanoTime}
   * @return what should be ended here
   */
  public List<K> compare(Collection<K> ours, Set<K> theirs, long now) {
    Map<K, Long> still = new HashMap<>();
    List<K> orphans = new ArrayList<>();
    for (K id : ours) {
      if (!theirs.contains(id)) {
        long since = missing.getOrDefault(id, now);
        if (now - since >= patience && missing.containsKey(id)) {
          orphans.add(id);
        } else {
          still.put(id, since);
        }
      }
    }
    missing = still;
    return orphans;
  }
}
