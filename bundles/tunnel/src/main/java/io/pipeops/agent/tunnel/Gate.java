package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Reply;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The one place where a stream's thread waits. Other threads may {@linkplain #signal wake} it to
 * look again, or {@linkplain #stop stop} it: the first stop wins, ends every wait, and interrupts a
 * send that is held up by a slow link. So a stream's end has one owner, its own thread.
 */
final class Gate {
  /**
   * A timer of its own for each wait costs the run time a switch of threads; nearly every wait is
   * over long before its limit. So the end of a longer one is left to {@link #tick}.
   */
  private static final long LONG = Duration.ofSeconds(2).toNanos();

  /** Not a monitor: to wake a virtual thread that waits in one costs a switch more. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition news = lock.newCondition();
  private Failure stop;
  private boolean signalled;
  private boolean ticked;
  private long due;
  private Thread sending;

  /** Asks the stream to end; returns whether this was the first call. */
  boolean stop(Failure why) {
    lock.lock();
    try {
      if (stop != null) {
        return false;
      }
      stop = why;
      news.signalAll();
      if (sending != null) {
        sending.interrupt();
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Something has changed that the stream's thread may wait for. */
  void signal() {
    lock.lock();
    try {
      signalled = true;
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void check() throws Failure {
    lock.lock();
    try {
      if (stop != null) {
        throw stop;
      }
    } finally {
      lock.unlock();
    }
  }

  /** Why the stream really ends: what follows from a stop is not the cause. */
  Failure cause(Failure seen) {
    lock.lock();
    try {
      return stop == null ? seen : stop;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits for the next signal; one given since the last wait counts.
   *
   * @param until the {@link System#nanoTime} to wait for at most
   */
  void await(long until) throws Failure {
    lock.lock();
    try {
      while (!signalled) {
        check();
        long left = until - System.nanoTime();
        if (left <= 0) {
          return;
        }
        if (left > LONG) {
          awaitTick(until);
        } else {
          news.awaitNanos(left);
        }
      }
      signalled = false;
      check();
    } catch (InterruptedException e) {
      throw Failure.stopped();
    } finally {
      lock.unlock();
    }
  }

  private void awaitTick(long until) throws InterruptedException {
    due = until;
    ticked = true;
    try {
      news.await();
    } finally {
      ticked = false;
    }
  }

  /** Ends a long wait when it is about to be over; to be called every second. */
  void tick(long now) {
    lock.lock();
    try {
      if (ticked && due - now <= LONG) {
        news.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits for the next signal though the stream may be stopped.
   *
   * @return false if the thread was interrupted
   */
  boolean linger(long until) {
    lock.lock();
    try {
      long left = until - System.nanoTime();
      if (!signalled && left > 0) {
        news.awaitNanos(left);
      }
      signalled = false;
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Sends, and gives up when the stream is stopped. */
  void send(Reply reply, List<Outgoing> messages) throws Failure, LinkLostException {
    sending(Thread.currentThread());
    try {
      reply.send(messages);
    } catch (InterruptedException e) {
      check();
      throw Failure.stopped();
    } finally {
      sent();
    }
  }

  private void sending(Thread thread) throws Failure {
    lock.lock();
    try {
      check();
      sending = thread;
    } finally {
      lock.unlock();
    }
  }

  private void sent() {
    lock.lock();
    try {
      sending = null;
      // A stop that came too late to end the send must not hit what comes next.
      Thread.interrupted();
    } finally {
      lock.unlock();
    }
  }
}
