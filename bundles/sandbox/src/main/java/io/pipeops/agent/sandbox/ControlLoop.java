package io.pipeops.agent.sandbox;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Calls the controllers, one after another, whenever something changed or is due. One thread. */
final class ControlLoop implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ControlLoop.class);
  private static final Duration LONGEST = Duration.ofMinutes(5);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);

  /** Changes of these concern no controller. */
  private static final Set<String> QUIET =
      Set.of("events", "leases.coordination.k8s.io", "configmaps", "secrets");

  private final Resources resources;
  private final List<Controller> controllers;
  private final Thread thread;

  ControlLoop(Resources resources, String caPem) {
    this.resources = resources;
    Workloads workloads = new Workloads(resources);
    this.controllers =
        List.of(
            new NamespaceController(resources, caPem),
            new GarbageCollector(resources),
            new DeploymentController(workloads),
            new ReplicaSetController(workloads),
            new StatefulSetController(workloads),
            new DaemonSetController(workloads),
            new JobController(workloads),
            new PodLifecycle(workloads),
            new EndpointsController(resources));
    this.thread = Thread.ofVirtual().name("sandbox-controllers").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  boolean alive() {
    return thread.isAlive();
  }

  private void run() {
    ObjectStore store = resources.store();
    try {
      while (!store.closed()) {
        long seen = store.version();
        Instant due = reconcile();
        await(seen, due);
      }
    } catch (InterruptedException e) {
      log.debug("Controllers were told to end");
    }
  }

  private Instant reconcile() {
    Instant due = resources.now().plus(LONGEST);
    for (Controller controller : controllers) {
      try {
        Instant next = controller.reconcile(resources.now()).orElse(due);
        due = next.isBefore(due) ? next : due;
      } catch (ApiException e) {
        // Someone was quicker, or the sandbox is full; the next look tells.
        log.debug("Controller {}: {}", controller.getClass().getSimpleName(), e.getMessage());
        due = earlier(due);
      } catch (RuntimeException e) {
        log.warn(
            "Controller failed, it is tried again in {}: controller={}",
            AFTER_FAILURE,
            controller.getClass().getSimpleName(),
            e);
        due = earlier(due);
      }
    }
    return due;
  }

  private Instant earlier(Instant due) {
    Instant soon = resources.now().plus(AFTER_FAILURE);
    return soon.isBefore(due) ? soon : due;
  }

  private void await(long seen, Instant due) throws InterruptedException {
    long at = seen;
    while (true) {
      Duration left = Duration.between(resources.now(), due);
      if (!left.isPositive() || resources.store().closed()) {
        return;
      }
      try {
        for (ObjectStore.Change change : resources.store().changesAfter(at, left)) {
          at = change.version();
          if (!QUIET.contains(change.type().qualified())) {
            return;
          }
        }
      } catch (ApiException behind) {
        return;
      }
    }
  }

  /** Waits at most a second for the step that is being done. */
  @Override
  public void close() {
    thread.interrupt();
    try {
      thread.join(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IllegalThreadStateException neverStarted) {
      log.debug("Controllers had not begun");
    }
  }
}
