package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkHandler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/** The handlers that are registered now: which one gets a message of a type. Safe for threads. */
final class Handlers {
  private final Map<Object, Registration> registrations = new HashMap<>();
  private final List<Runnable> watchers = new CopyOnWriteArrayList<>();
  private volatile Map<String, LinkHandler> byType = Map.of();

  private record Registration(
      LinkHandler handler, Set<String> types, int ranking, long id, boolean draining) {}

  /** One that drains only if there is no other; else the highest ranking, else the oldest. */
  private static final Comparator<Registration> BEST_LAST =
      Comparator.comparing((Registration r) -> !r.draining)
          .thenComparingInt(Registration::ranking)
          .thenComparing(Registration::id, Comparator.reverseOrder());

  /**
   * Adds a handler, or takes note of its changed properties.
   *
   * @param key what it is removed by
   */
  void put(Object key, LinkHandler handler, Map<String, ?> properties) {
    Registration registration =
        new Registration(
            handler,
            types(properties.get(LinkHandler.TYPES)),
            properties.get("service.ranking") instanceof Integer ranking ? ranking : 0,
            properties.get("service.id") instanceof Long id ? id : 0,
            properties.get(LinkHandler.DRAINING) instanceof Boolean draining && draining);
    synchronized (this) {
      registrations.put(key, registration);
      rebuild();
    }
    watchers.forEach(Runnable::run);
  }

  /** Takes note of changed properties; an unknown key is ignored. */
  void update(Object key, Map<String, ?> properties) {
    LinkHandler handler;
    synchronized (this) {
      Registration registration = registrations.get(key);
      if (registration == null) {
        return;
      }
      handler = registration.handler;
    }
    put(key, handler, properties);
  }

  synchronized void remove(Object key) {
    registrations.remove(key);
    rebuild();
  }

  /** The handler for a type; null if there is none. */
  LinkHandler find(String type) {
    return byType.get(type);
  }

  /** Has a hook run after each addition or change, on the thread that made it. */
  void watch(Runnable watcher) {
    watchers.add(watcher);
  }

  void unwatch(Runnable watcher) {
    watchers.remove(watcher);
  }

  private void rebuild() {
    List<Registration> ordered = new ArrayList<>(registrations.values());
    ordered.sort(BEST_LAST);
    Map<String, LinkHandler> map = new HashMap<>();
    for (Registration registration : ordered) {
      registration.types.forEach(type -> map.put(type, registration.handler));
    }
    byType = Map.copyOf(map);
  }

  private static Set<String> types(Object property) {
    Set<String> types = new HashSet<>();
    if (property instanceof String one) {
      types.add(one);
    } else if (property instanceof String[] many) {
      types.addAll(Arrays.asList(many));
    } else if (property instanceof Collection<?> many) {
      many.forEach(type -> types.add(String.valueOf(type)));
    }
    return types;
  }
}
