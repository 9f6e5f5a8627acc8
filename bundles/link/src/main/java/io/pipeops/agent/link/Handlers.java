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

/**
 * The handlers that are registered now: which one gets a message or a stream of a type. Safe for
 * threads.
 *
 * @param <H> what handles
 */
final class Handlers<H> {
  private final String property;
  private final Map<Object, Registration<H>> registrations = new HashMap<>();
  private final List<Runnable> watchers = new CopyOnWriteArrayList<>();
  private volatile Map<String, H> byType = Map.of();

  private record Registration<H>(
      H handler, Set<String> types, int ranking, long id, boolean draining) {}

  /** One that drains only if there is no other; else the highest ranking, else the oldest. */
  private static final Comparator<Registration<?>> BEST_LAST =
      (a, b) -> {
        if (a.draining != b.draining) {
          return a.draining ? -1 : 1;
        }
        int ranking = Integer.compare(a.ranking, b.ranking);
        return ranking != 0 ? ranking : Long.compare(b.id, a.id);
      };

  /**
   * None is registered yet.
   *
   * @param property the service property that names the types
   */
  Handlers(String property) {
    this.property = property;
  }

  /**
   * Adds a handler, or takes note of its changed properties.
   *
   * @param key what it is removed by
   */
  void put(Object key, H handler, Map<String, ?> properties) {
    Registration<H> registration =
        new Registration<>(
            handler,
            types(properties.get(property)),
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
    H handler;
    synchronized (this) {
      Registration<H> registration = registrations.get(key);
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
  H find(String type) {
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
    List<Registration<H>> ordered = new ArrayList<>(registrations.values());
    ordered.sort(BEST_LAST);
    Map<String, H> map = new HashMap<>();
    for (Registration<H> registration : ordered) {
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
