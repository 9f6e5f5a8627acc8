package io.pipeops.hub.agents;

import java.util.ArrayDeque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs tasks that may block one after the other, on a virtual thread that exists only while there
 * is something to do. Bounded: what does not fit is refused.
 */
final class ControlLane {
  private static final Logger log = LoggerFactory.getLogger(ControlLane.class);
  private static final int CAPACITY = 64;

  private final String name;
  private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
  private boolean running;

  ControlLane(String name) {
    this.name = name;
  }

  synchronized boolean offer(Runnable task) {
    if (tasks.size() >= CAPACITY) {
      return false;
    }
    tasks.add(task);
    if (!running) {
      running = true;
      Thread.ofVirtual().name(name).start(this::run);
    }
    return true;
  }

  private void run() {
    for (Runnable task = next(); task != null; task = next()) {
      try {
        task.run();
      } catch (RuntimeException e) {
        log.warn("A control message was dropped: {}", e.toString());
      }
    }
  }

  private synchronized Runnable next() {
    Runnable task = tasks.poll();
    running = task != null;
    return task;
  }
}
