package io.pipeops.agent.kubernetes;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;

/**
 * What this replica does with the lease: take it, renew it, give it away, watch it. One thread at a
 * time; {@link LeaderElection} decides when.
 */
final class LeaseTenure {
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final int WATCH_SECONDS = 300;

  private final LeaseObject object;
  private final LeaseView view;
  private final String identity;
  private volatile LeaseSettings settings;
  private long renewedAt;
  private long term;

  LeaseTenure(LeaseObject object, LeaseView view, String identity, LeaseSettings settings) {
    this.object = object;
    this.view = view;
    this.identity = identity;
    this.settings = settings;
  }

  void apply(LeaseSettings changed) {
    settings = changed;
  }

  String key() {
    return object.key();
  }

  /** Grows with each leader, whatever the clocks of the leaders say. */
  long term() {
    return term;
  }

  /** When the lease was renewed last, on the clock of {@link System#nanoTime}. */
  long renewedAt() {
    return renewedAt;
  }

  /** How long this replica may still lead without a renewal. */
  long leftNanos() {
    return renewedAt + settings.deadline().toNanos() - System.nanoTime();
  }

  /** Reads it; what was read is in the view. */
  void look() throws IOException, InterruptedException {
    view.observed(object.read(LIMIT).orElse(null));
  }

  /** Takes it as it was seen last; false if somebody was faster. */
  boolean take() throws IOException, InterruptedException {
    LeaseRecord seen = view.seen();
    long begun = System.nanoTime();
    long now = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
    long next = seen == null ? now : Math.max(now, seen.term() + 1);
    Optional<LeaseRecord> written =
        seen == null
            ? object.create(fresh(next), LIMIT)
            : object.replace(seen.taken(identity, settings.lease(), next), LIMIT);
    if (written.isEmpty()) {
      look();
      return false;
    }
    view.observed(written.get());
    term = next;
    renewedAt = begun;
    return true;
  }

  private Map<String, Object> fresh(long with) {
    return LeaseRecord.fresh(object.namespace(), settings.name(), identity, settings.lease(), with);
  }

  /**
   * Renews it, also if somebody has changed or deleted it.
   *
   * @return false if another replica has it now
   */
  boolean renew() throws IOException, InterruptedException {
    long begun = System.nanoTime();
    LeaseRecord seen = view.seen();
    Optional<LeaseRecord> written =
        seen == null
            ? Optional.empty()
            : object.replace(seen.renewed(identity, settings.lease(), term), limit());
    if (written.isEmpty()) {
      Optional<LeaseRecord> found = object.read(limit());
      view.observed(found.orElse(null));
      if (view.taken()) {
        return false;
      }
      written =
          found.isEmpty()
              ? object.create(fresh(term), limit())
              : object.replace(found.get().renewed(identity, settings.lease(), term), limit());
      if (written.isEmpty()) {
        throw new IOException("others keep changing " + object);
      }
    }
    view.observed(written.get());
    renewedAt = begun;
    return true;
  }

  /** No call may take longer than this replica may still lead. */
  private Duration limit() {
    Duration left = Duration.ofNanos(Math.max(leftNanos(), 1_000_000));
    return settings.alone() || left.compareTo(LIMIT) > 0 ? LIMIT : left;
  }

  /** Gives it away; false if it is another's already. */
  boolean release() throws IOException, InterruptedException {
    LeaseRecord seen = view.seen();
    for (int attempt = 0; attempt < 2; attempt++) {
      if (seen == null || !seen.holder().equals(identity)) {
        return false;
      }
      Optional<LeaseRecord> written = object.replace(seen.released(), LIMIT);
      if (written.isPresent()) {
        view.observed(written.get());
        return true;
      }
      look();
      seen = view.seen();
    }
    throw new IOException("others keep changing " + object);
  }

  /** Waits until another replica has taken it; false if none did in time. */
  boolean awaitSuccessor(long end) throws IOException, InterruptedException {
    while (!view.taken() && end - System.nanoTime() > 0 && !view.closed()) {
      view.watching();
      try (LeaseWatch watch = object.watch(view.version(), WATCH_SECONDS, view)) {
        view.awaitTaken(end);
      }
      if (view.ended() && !view.taken()) {
        look();
        view.awaitTime(Math.min(end, System.nanoTime() + 500_000_000));
      }
    }
    return view.taken();
  }

  /**
   * Watches it until it may be taken or the watch ends.
   *
   * @return the status with which the watch ended; 0 if it did not, or without an answer
   */
  int watch() throws InterruptedException {
    view.watching();
    try (LeaseWatch watch = object.watch(view.version(), WATCH_SECONDS, view)) {
      return view.awaitFree(Duration.ofSeconds(WATCH_SECONDS + 10L).toNanos());
    } catch (IOException e) {
      view.ended(0);
      return 0;
    }
  }

  @Override
  public String toString() {
    return object.toString();
  }
}
