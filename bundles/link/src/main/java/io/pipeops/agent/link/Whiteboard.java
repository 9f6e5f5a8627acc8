package io.pipeops.agent.link;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * Services of one kind, each got on a thread of its own. Getting a service activates it, and it may
 * need the link itself: on the thread that activates the link that would be a cycle.
 */
final class Whiteboard<S> {
  /** What is done with them; called under no lock. */
  interface Visitor<S> {
    void added(ServiceReference<S> reference, S service);

    void removed(ServiceReference<S> reference, S service);
  }

  private final Visitor<S> visitor;
  private final Map<ServiceReference<S>, S> services = new TreeMap<>();
  private final List<ServiceReference<S>> wanted = new ArrayList<>();
  private BundleContext context;

  Whiteboard(Visitor<S> visitor) {
    this.visitor = visitor;
  }

  /** From now on services are got. */
  void open(BundleContext bundle) {
    List<ServiceReference<S>> waiting;
    synchronized (this) {
      context = bundle;
      waiting = List.copyOf(wanted);
    }
    waiting.forEach(this::fetch);
  }

  void add(ServiceReference<S> reference) {
    synchronized (this) {
      wanted.add(reference);
      if (context == null) {
        return;
      }
    }
    fetch(reference);
  }

  void remove(ServiceReference<S> reference) {
    S service;
    synchronized (this) {
      wanted.remove(reference);
      service = services.remove(reference);
    }
    if (service != null) {
      visitor.removed(reference, service);
      unget(reference);
    }
  }

  /** Those that are there, the lowest ranking first. */
  synchronized List<S> services() {
    return List.copyOf(services.values());
  }

  private void fetch(ServiceReference<S> reference) {
    Thread.ofVirtual().name("link-whiteboard").start(() -> get(reference));
  }

  private void get(ServiceReference<S> reference) {
    S service;
    try {
      service = context.getService(reference);
    } catch (IllegalStateException e) {
      // The bundle is being stopped.
      return;
    }
    if (service == null) {
      return;
    }
    synchronized (this) {
      if (!wanted.contains(reference) || services.containsKey(reference)) {
        unget(reference);
        return;
      }
      services.put(reference, service);
    }
    visitor.added(reference, service);
  }

  private void unget(ServiceReference<S> reference) {
    try {
      context.ungetService(reference);
    } catch (IllegalStateException e) {
      // The bundle is being stopped, which gives everything back.
    }
  }
}
