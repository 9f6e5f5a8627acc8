package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Reply;
import java.util.List;

/**
 * The one place where a stream's thread waits. Other threads may {@linkplain #signal wake} it to
 * look again, or {@linkplain #stop stop} it: the first stop wins, ends every wait, and interrupts a
 * send that is held up by a slow link. So a stream's end has one owner, its own thread.
 */
final class Gate {
  private Failure stop;
  private boolean signalled;
  private Thread sending;

  /** Asks the stream to end; returns whether this was the first call. */
  synchronized boolean stop(Failure why) {
    if (stop != null) {
      return false;
    }
    stop = why;
    notifyAll();
    if (sending != null) {
      sending.interrupt();
    }
    return true;
  }

  /** Something has changed that the stream's thread may wait for. */
  synchronized void signal() {
    signalled = true;
    notifyAll();
  }

  synchronized void check() throws Failure {
    if (stop != null) {
      throw stop;
    }
  }

  /** Why the stream really ends: what follows from a stop is not the cause. */
  synchronized Failure cause(Failure seen) {
    return stop == null ? seen : stop;
  }

  /**
   * Waits for the next signal; one given since the last wait counts.
   *
   * @param until the {@link System#nanoTime} to wait for at most
   */
  synchronized void await(long until) throws Failure {
    try {
      while (!signalled) {
        check();
        long left = until - System.nanoTime();
        if (left <= 0) {
          return;
        }
        wait(left / 1_000_000, (int) (left % 1_000_000));
      }
    } catch (InterruptedException e) {
      throw Failure.stopped();
    }
    signalled = false;
    check();
  }

  /**
   * Waits for the next signal though the stream may be stopped.
   *
   * @return false if the thread was interrupted
   */
  synchronized boolean linger(long until) {
    try {
      long left = until - System.nanoTime();
      if (!signalled && left > 0) {
        wait(left / 1_000_000 + 1);
      }
      signalled = false;
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Sends, and gives up when the stream is stopped. */
  void send(Reply reply, List<Outgoing> messages) throws Failure, LinkLostException {
    synchronized (this) {
      check();
      sending = Thread.currentThread();
    }
    try {
      reply.send(messages);
    } catch (InterruptedException e) {
      check();
      throw Failure.stopped();
    } finally {
      synchronized (this) {
        sending = null;
        // A stop that came too late to end the send must not hit what comes next.
        Thread.interrupted();
      }
    }
  }
}
