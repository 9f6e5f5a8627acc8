package io.pipeops.hub.agents;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether an agent is still there (protocol 1.11): pings it, cuts its socket when nothing came for
 * too long, and asks it for a sign of life when somebody wants to know. Now and then it has the
 * live streams compared. Safe for all threads.
 */
final class Liveness {
  private static final Logger log = LoggerFactory.getLogger(Liveness.class);
  private static final long COMPARE_EVERY = TimeUnit.MINUTES.toNanos(1);

  private final AgentConnection connection;
  private final AgentLimits limits;
  private final Scheduler scheduler;
  private final Object arrival = new Object();
  private volatile long lastReceived = System.nanoTime();

  /** Nothing is read at present, so nothing can come. */
  private volatile boolean paused;

  /** Somebody waits, or has waited, for a sign of life. */
  private volatile boolean probed;

  private volatile Scheduler.Task pinger;
  private long compared = System.nanoTime();

  /** Begins to ping. */
  Liveness(AgentConnection connection, AgentLimits limits, Scheduler scheduler) {
    this.connection = connection;
    this.limits = limits;
    this.scheduler = scheduler;
    schedule();
  }

  void stop() {
    pinger.cancel();
  }

  /** Something came. */
  void alive() {
    seen();
    if (probed) {
      wake();
    }
  }

  /** The agent counts as heard of. */
  void seen() {
    lastReceived = System.nanoTime();
  }

  /** While nothing is read the agent cannot be called silent. */
  void pause(boolean now) {
    if (!now) {
      seen();
    }
    paused = now;
  }

  private void schedule() {
    pinger = scheduler.schedule(this::ping, limits.ping().toNanos(), TimeUnit.NANOSECONDS);
  }

  private void ping() {
    if (connection.over()) {
      return;
    }
    if (connection.open()
        && !paused
        && System.nanoTime() - lastReceived > limits.dead().toNanos()) {
      log.warn(
          "Agent silent for {} s, closing: {}", limits.dead().toSeconds(), connection.describe());
      connection.cut("the agent was silent for too long");
      if (connection.over()) {
        return;
      }
    }
    connection.sendPing();
    if (System.nanoTime() - compared > COMPARE_EVERY) {
      compared = System.nanoTime();
      connection.streams().compare();
    }
    schedule();
  }

  /** See {@link AgentConnection#answers}. */
  boolean answers(Duration limit) throws InterruptedException {
    long asked = System.nanoTime();
    long until = asked + limit.toNanos();
    synchronized (arrival) {
      probed = true;
      connection.sendPing();
      while (!connection.over() && !paused && lastReceived - asked <= 0) {
        if (connection.detached()) {
          return false;
        }
        long left = until - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        TimeUnit.NANOSECONDS.timedWait(arrival, left);
      }
    }
    return !connection.over();
  }

  /** See {@link AgentConnection#dropUnlessAlive}. */
  void dropUnlessAlive(Duration limit, String reason) {
    long asked = System.nanoTime();
    connection.sendPing();
    scheduler.schedule(
        () -> {
          if (!connection.over() && !paused && lastReceived - asked <= 0) {
            log.warn("Agent cut, it gives no sign of life: {}", connection.describe());
            connection.drop(reason);
          }
        },
        limit.toNanos(),
        TimeUnit.NANOSECONDS);
  }

  /** Whoever waits for a sign of life looks again. */
  void wake() {
    synchronized (arrival) {
      arrival.notifyAll();
    }
  }
}
