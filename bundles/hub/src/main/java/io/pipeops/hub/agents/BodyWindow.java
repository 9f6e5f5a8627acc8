package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.ProxyRequestWindow;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How much of one request's body may be sent by now ({@link ProxyRequestWindow}). Not every agent
 * grants anything: the protocol has no such message. One that has not spoken of it when the first
 * piece is sent gets a moment; then it is sent as fast as the connection takes it.
 */
final class BodyWindow {
  /** What may be sent before the agent has said anything. */
  static final long FIRST = 256 << 10;

  private static final Duration MOMENT = Duration.ofSeconds(2);

  /** What is known of an agent; the requests of its session share it. */
  static final class Habit {
    private volatile boolean grants;
    private volatile boolean silent;
  }

  private final Habit habit;
  private final long moment;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition news = lock.newCondition();
  private long upTo = FIRST;
  private long sent;
  private boolean over;

  /**
   * @param patience how long the response may take, which the moment must not use up
   */
  BodyWindow(Habit habit, Duration patience) {
    this.habit = habit;
    this.moment = Math.min(MOMENT.toNanos(), patience.toNanos() / 2);
  }

  /** Waits until a further chunk may be sent, or none is wanted any more. */
  void await() throws InterruptedException {
    lock.lock();
    try {
      long until = System.nanoTime() + moment;
      while (sent >= upTo && !over) {
        if (habit.grants) {
          news.await();
        } else if (habit.silent) {
          return;
        } else {
          long left = until - System.nanoTime();
          habit.silent = left <= 0;
          news.await(left, TimeUnit.NANOSECONDS);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** A chunk of so many bytes was sent. */
  void sent(int bytes) {
    lock.lock();
    try {
      sent += bytes + ProxyRequestWindow.PER_CHUNK;
    } finally {
      lock.unlock();
    }
  }

  /** The agent grants so much in all. */
  void grant(long total) {
    lock.lock();
    try {
      habit.grants = true;
      upTo = Math.max(upTo, total);
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Nobody wants more of the body. */
  void end() {
    lock.lock();
    try {
      over = true;
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
