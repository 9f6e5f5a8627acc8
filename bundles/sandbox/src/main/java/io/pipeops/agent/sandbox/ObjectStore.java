package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * All objects, in memory, with one counter as their version and a bounded history of what changed.
 * Stored trees are never changed; what is handed out may be read by anyone at any time and must not
 * be written to. Safe for all threads: one lock, held for the time of one change.
 */
final class ObjectStore {
  /** How many changes a watch can lie behind before it must list again. */
  static final int HISTORY = 2048;

  /** As JSON; the tree in memory takes a few times that. */
  private static final long HISTORY_BYTES = 2L << 20;

  static final int MAX_OBJECTS = 5000;
  static final long MAX_BYTES = 8L << 20;
  static final int MAX_OBJECT_BYTES = 1536 << 10;

  /** What happened to an object. {@code before} is null for ADDED, {@code after} for DELETED. */
  record Change(long version, ResourceType type, ObjectNode before, ObjectNode after, int bytes) {
    ObjectNode object() {
      return after == null ? before : after;
    }
  }

  /** Objects of one moment, ordered by namespace and name. */
  record Listing(List<ObjectNode> items, long version) {}

  private final Map<ResourceType, NavigableMap<String, ObjectNode>> objects = new HashMap<>();
  private final Map<ResourceType, Map<String, Integer>> sizes = new HashMap<>();
  private final ArrayDeque<Change> history = new ArrayDeque<>();
  private long version = 1;
  private long forgotten = 1;
  private int count;
  private long bytes;
  private long historyBytes;
  private boolean closed;

  private static String key(String namespace, String name) {
    return namespace + "/" + name;
  }

  private NavigableMap<String, ObjectNode> map(ResourceType type) {
    return objects.computeIfAbsent(type, absent -> new TreeMap<>());
  }

  synchronized Optional<ObjectNode> get(ResourceType type, String namespace, String name) {
    return Optional.ofNullable(map(type).get(key(namespace, name)));
  }

  /** All of a type, or of a namespace if that is not empty. */
  synchronized Listing list(ResourceType type, String namespace) {
    NavigableMap<String, ObjectNode> map = map(type);
    if (!namespace.isEmpty()) {
      map = map.subMap(namespace + "/", true, namespace + "0", false);
    }
    return new Listing(new ArrayList<>(map.values()), version);
  }

  List<ObjectNode> items(ResourceType type, String namespace) {
    return list(type, namespace).items();
  }

  synchronized ObjectNode create(ResourceType type, ObjectNode object) {
    String namespace = Json.namespace(object);
    String name = Json.name(object);
    NavigableMap<String, ObjectNode> map = map(type);
    if (map.containsKey(key(namespace, name))) {
      throw ApiException.alreadyExists(type, name);
    }
    if (count >= MAX_OBJECTS) {
      throw ApiException.full("the sandbox holds %d objects and takes no more".formatted(count));
    }
    put(type, namespace, name, null, object);
    return object;
  }

  /**
   * Changes an object. The function gets a copy of its own, under the store's lock, and returns
   * what shall be kept; if that says the same as before, nothing happens.
   */
  synchronized ObjectNode update(
      ResourceType type, String namespace, String name, UnaryOperator<ObjectNode> change) {
    ObjectNode before = map(type).get(key(namespace, name));
    if (before == null) {
      throw ApiException.notFound(type, name);
    }
    ObjectNode after = change.apply(before.deepCopy());
    if (after.equals(before)) {
      return before;
    }
    put(type, namespace, name, before, after);
    return after;
  }

  /** Takes an object away and returns it with the version of its removal. */
  synchronized ObjectNode remove(ResourceType type, String namespace, String name) {
    ObjectNode before = map(type).remove(key(namespace, name));
    if (before == null) {
      throw ApiException.notFound(type, name);
    }
    Integer size = sizes.get(type).remove(key(namespace, name));
    count--;
    bytes -= size;
    ObjectNode last = before.deepCopy();
    Json.meta(last).put("resourceVersion", Long.toString(++version));
    remember(new Change(version, type, last, null, size));
    return last;
  }

  private void put(
      ResourceType type, String namespace, String name, ObjectNode before, ObjectNode after) {
    int size = Json.bytes(after).length;
    if (size > MAX_OBJECT_BYTES) {
      throw ApiException.tooLarge(MAX_OBJECT_BYTES);
    }
    Map<String, Integer> sizesOfType = sizes.computeIfAbsent(type, absent -> new HashMap<>());
    int former = sizesOfType.getOrDefault(key(namespace, name), 0);
    if (size > former && bytes + size - former > MAX_BYTES) {
      throw ApiException.full("the sandbox is full: %d MiB of objects".formatted(MAX_BYTES >> 20));
    }
    Json.meta(after).put("resourceVersion", Long.toString(++version));
    map(type).put(key(namespace, name), after);
    sizesOfType.put(key(namespace, name), size);
    bytes += size - former;
    if (before == null) {
      count++;
    }
    remember(new Change(version, type, before, after, size));
  }

  private void remember(Change change) {
    history.addLast(change);
    historyBytes += change.bytes();
    while (history.size() > HISTORY || (historyBytes > HISTORY_BYTES && history.size() > 1)) {
      Change oldest = history.removeFirst();
      forgotten = oldest.version();
      historyBytes -= oldest.bytes();
    }
    notifyAll();
  }

  synchronized long version() {
    return version;
  }

  /** The oldest version from which all later changes are still known. */
  synchronized long oldest() {
    return forgotten;
  }

  synchronized int count() {
    return count;
  }

  /**
   * Waits until something changed after a version, or the limit is over, or the store was closed.
   *
   * @return the changes, oldest first; none after the limit
   * @throws ApiException 410 if the history does not reach back that far
   */
  synchronized List<Change> changesAfter(long after, Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (version <= after && !closed) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return List.of();
      }
      wait(left);
    }
    if (after < forgotten) {
      throw ApiException.expired(after, forgotten);
    }
    ArrayDeque<Change> changes = new ArrayDeque<>();
    var newestFirst = history.descendingIterator();
    while (newestFirst.hasNext()) {
      Change change = newestFirst.next();
      if (change.version() <= after) {
        break;
      }
      changes.addFirst(change);
    }
    return List.copyOf(changes);
  }

  synchronized boolean closed() {
    return closed;
  }

  /** Does several things as one change that nobody sees the middle of. Must be quick. */
  synchronized <T> T atomically(Supplier<T> step) {
    return step.get();
  }

  /** Ends all waiting. */
  synchronized void close() {
    closed = true;
    notifyAll();
  }
}
