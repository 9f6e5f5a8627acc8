package io.pipeops.agent.tunnel;

import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** All open streams: so many run, further ones wait in order, beyond that they are refused. */
final class Streams {
  private static final long TICK_NANOS = Duration.ofMillis(500).toNanos();

  /** What is kept here. The methods are called with a lock held and must return at once. */
  interface Stream {
    /** It may begin. */
    void grant();

    /** It is to end. */
    void stop(Failure why);

    /** Another second, or less, has passed. */
    void tick(long now);

    /** Its thread, for the case that it does not end. */
    Thread thread();
  }

  private final Set<Stream> running = new LinkedHashSet<>();
  private final Set<Stream> waiting = new LinkedHashSet<>();
  private boolean ticking;
  private boolean refusing;
  private Settings settings;

  Streams(Settings settings) {
    this.settings = settings;
  }

  synchronized void settings(Settings value) {
    settings = value;
    grantNext();
  }

  /**
   * Takes a stream on.
   *
   * @throws Failure if there is no room for it, or this bundle takes no more
   */
  synchronized void enter(Stream stream) throws Failure {
    if (refusing) {
      throw Failure.stopped();
    }
    if (running.size() >= settings.maxStreams() && waiting.size() >= settings.maxWaiting()) {
      throw new Failure(
          Failure.Reason.BUSY,
          "too many requests: "
              + running.size()
              + " are being served and "
              + waiting.size()
              + " are waiting");
    }
    waiting.add(stream);
    if (!ticking) {
      ticking = true;
      Thread.ofVirtual().name("tunnel-ticks").start(this::ticks);
    }
    grantNext();
  }

  /** Runs as long as there are streams. */
  private void ticks() {
    for (List<Stream> open = ticked(); !open.isEmpty(); open = ticked()) {
      long now = System.nanoTime();
      open.forEach(stream -> stream.tick(now));
      LockSupport.parkNanos(TICK_NANOS);
    }
  }

  private synchronized List<Stream> ticked() {
    ticking = open() > 0;
    return all();
  }

  synchronized void leave(Stream stream) {
    waiting.remove(stream);
    running.remove(stream);
    grantNext();
    notifyAll();
  }

  private void grantNext() {
    while (running.size() < settings.maxStreams() && !waiting.isEmpty()) {
      Stream next = waiting.iterator().next();
      waiting.remove(next);
      running.add(next);
      next.grant();
    }
  }

  synchronized int open() {
    return running.size() + waiting.size();
  }

  /** Takes no more streams. */
  synchronized void refuse() {
    refusing = true;
  }

  /** Waits for the last stream to end; returns whether it did within the limit. */
  synchronized boolean awaitIdle(Duration limit) throws InterruptedException {
    long until = System.nanoTime() + limit.toNanos();
    while (open() > 0) {
      long left = until - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      wait(left / 1_000_000 + 1);
    }
    return true;
  }

  synchronized List<Stream> all() {
    Set<Stream> all = new LinkedHashSet<>(running);
    all.addAll(waiting);
    return List.copyOf(all);
  }
}
