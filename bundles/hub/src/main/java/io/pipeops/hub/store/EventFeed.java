package io.pipeops.hub.store;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Tells those who watch what happens, as it happens. The last events are kept for a watcher that
 * comes back. A watcher that does not read loses its subscription, never holds up others. Safe for
 * all threads.
 */
public final class EventFeed {
  static final int KEPT = 512;
  private static final int WAITING = 512;
  private static final int MAX_WATCHERS = 128;

  private final ArrayDeque<HubEvent> kept = new ArrayDeque<>();
  private final List<Subscription> watchers = new CopyOnWriteArrayList<>();
  private final Consumer<HubEvent> journal;
  private long number;
  private boolean closed;

  /**
   * @param journal gets each event, in order; must not block
   */
  EventFeed(Consumer<HubEvent> journal) {
    this.journal = journal;
  }

  /** Notes what happened. Never blocks for long, never throws. */
  public void publish(String type, String clusterId, String clusterName, String detail) {
    publish(type, clusterId, clusterName, detail, HeartbeatSummary.NONE);
  }

  synchronized void publish(
      String type,
      String clusterId,
      String clusterName,
      String detail,
      HeartbeatSummary heartbeat) {
    if (closed) {
      return;
    }
    number++;
    HubEvent event =
        new HubEvent(
            number,
            Instant.now(),
            Columns.clean(type, 32),
            Columns.clean(clusterId, 64),
            Columns.clean(clusterName, 256),
            Columns.clean(detail, 1024),
            heartbeat);
    kept.addLast(event);
    if (kept.size() > KEPT) {
      kept.removeFirst();
    }
    journal.accept(event);
    for (Subscription watcher : watchers) {
      watcher.put(event);
    }
  }

  /**
   * Everything from now on, and before that what is kept of events after {@code since}.
   *
   * @param since the last event that the watcher has seen, or a negative number for none
   * @throws IllegalStateException if too many watch already or the hub stops
   */
  public synchronized Subscription subscribe(long since) {
    if (closed || watchers.size() >= MAX_WATCHERS) {
      throw new IllegalStateException(
          closed ? "The hub stops" : MAX_WATCHERS + " watch events already");
    }
    Subscription subscription = new Subscription();
    if (since >= 0) {
      for (HubEvent event : new ArrayList<>(kept)) {
        if (event.number() > since) {
          subscription.put(event);
        }
      }
    }
    watchers.add(subscription);
    return subscription;
  }

  /** How many watch now. */
  public int watchers() {
    return watchers.size();
  }

  synchronized void close() {
    closed = true;
    List.copyOf(watchers).forEach(Subscription::close);
  }

  /** One watcher's queue. */
  public final class Subscription implements AutoCloseable {
    private final ArrayDeque<HubEvent> waiting = new ArrayDeque<>();
    private boolean over;

    private synchronized void put(HubEvent event) {
      if (over) {
        return;
      }
      if (waiting.size() >= WAITING) {
        close();
        return;
      }
      waiting.addLast(event);
      notifyAll();
    }

    /**
     * The next event; null if none came in time or there will be none, which {@link #over} tells.
     */
    public synchronized HubEvent next(Duration limit) throws InterruptedException {
      long end = System.nanoTime() + limit.toNanos();
      while (waiting.isEmpty() && !over) {
        long left = end - System.nanoTime();
        if (left <= 0) {
          return null;
        }
        wait(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
      }
      return waiting.pollFirst();
    }

    /** Whether the subscription ended: closed, too slow, or the hub stops. */
    public synchronized boolean over() {
      return over && waiting.isEmpty();
    }

    @Override
    public synchronized void close() {
      over = true;
      watchers.remove(this);
      notifyAll();
    }
  }
}
