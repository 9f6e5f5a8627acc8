package io.pipeops.agent.kubernetes;

import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides by a Lease whether this replica leads: takes the lease if it is free, renews it, watches
 * it while another replica has it. One thread. The leader costs one request for each renewal, a
 * replica that stands by about two dozen an hour.
 */
final class LeaderElection {
  private static final Logger log = LoggerFactory.getLogger(LeaderElection.class);
  private static final Duration LIMIT = Duration.ofSeconds(5);

  /** For so long a replica that is alone waits for the API server before it leads without it. */
  private static final Duration FIRST_LIMIT = Duration.ofSeconds(7);

  private static final Duration ASK_AGAIN = Duration.ofMinutes(5);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
  private static final int WATCH_SECONDS = 300;

  /** Where the lead is announced. Called by one thread at a time, with no lock held. */
  interface Office {
    void begin(Lead lead, boolean stoodBy);

    /** It goes on with another term. */
    void changed(Lead lead);

    void end(Lead lead);

    /** Whether another replica is known to lead. */
    void standBy(boolean other);
  }

  /** What is counted. */
  interface Tally {
    void gained();

    void lost();

    void renewed(boolean done);
  }

  private final ClusterAccess access;
  private volatile LeaseSettings settings;
  private final String identity;
  private final Office office;
  private final Tally tally;
  private final LeaseView view;
  private final Thread thread;

  /** Held while the lease is written or the lead changes hands. */
  private final ReentrantLock acting = new ReentrantLock();

  private LeaseObject object;
  private volatile Lead lead;
  private volatile boolean held;
  private volatile boolean over;
  private volatile String problem = "nobody is known to lead yet";
  private long renewedAt;
  private long term;
  private boolean stoodBy;
  private boolean pollOnly;
  private Duration pause;
  private String complaint = "";
  private final long begunAt = System.nanoTime();

  LeaderElection(
      ClusterAccess access, LeaseSettings settings, String identity, Office office, Tally tally) {
    this.access = access;
    this.settings = settings;
    this.identity = identity;
    this.office = office;
    this.tally = tally;
    this.pause = settings.retry();
    this.view = new LeaseView(identity, settings.lease());
    this.thread = Thread.ofVirtual().name("kubernetes-leader").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** Takes other times; the lead stays where it is. */
  void apply(LeaseSettings changed) {
    settings = changed;
  }

  /** Whether this replica leads now, elected or not. */
  boolean leads() {
    return lead != null;
  }

  /** Who else leads; empty if nobody else is known to. */
  String follows() {
    return leads() ? "" : view.other();
  }

  /** What stands in the way of an election; empty if nothing does. */
  String problem() {
    return problem;
  }

  private void run() {
    try {
      while (!over) {
        Optional<ApiClient> api = access.awaitClient(LONGEST_PAUSE);
        if (over) {
          return;
        }
        if (api.isEmpty()) {
          away(new IOException(access.problem()));
          continue;
        }
        if (object == null) {
          String namespace = access.server().orElseThrow().namespace();
          object = new LeaseObject(api.get(), namespace, settings.name());
        }
        if (held) {
          view.awaitTime(renewedAt + settings.renew().toNanos());
          act(this::renew);
        } else {
          act(this::seek);
          follow();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | LinkageError e) {
      log.error("The election of a leader failed; this replica does not lead", e);
      problem = "internal error: " + e;
      lose("of an internal error");
    }
  }

  /** Something that talks to the API server. */
  private interface Act {
    void run() throws IOException, InterruptedException;
  }

  private void act(Act act) throws InterruptedException {
    IOException failure = null;
    acting.lockInterruptibly();
    try {
      if (over) {
        return;
      }
      act.run();
      pause = settings.retry();
    } catch (IOException e) {
      failure = e;
    } finally {
      acting.unlock();
    }
    if (failure instanceof RefusedException refused && refused.forbids() && !held) {
      forbidden(refused);
    } else if (failure != null) {
      away(failure);
    }
  }

  private void seek() throws IOException, InterruptedException {
    view.observed(object.read(LIMIT).orElse(null));
    if (view.free()) {
      take();
    }
  }

  private void take() throws IOException, InterruptedException {
    LeaseRecord seen = view.seen();
    long begun = System.nanoTime();
    long now = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
    long next = seen == null ? now : Math.max(now, seen.term() + 1);
    Optional<LeaseRecord> written =
        seen == null
            ? object.create(fresh(next), LIMIT)
            : object.replace(seen.taken(identity, settings.lease(), next), LIMIT);
    if (written.isEmpty()) {
      view.observed(object.read(LIMIT).orElse(null));
      return;
    }
    view.observed(written.get());
    term = next;
    renewedAt = begun;
    held = true;
    settled();
    log.info("This replica leads {} identity={} term={}", object, identity, term);
    Lead present = lead;
    if (present == null) {
      begin(new Lead(object.key(), term, this::handOver));
    } else {
      present.elected(object.key(), term, this::handOver);
      office.changed(present);
    }
  }

  private Map<String, Object> fresh(long next) {
    return LeaseRecord.fresh(object.namespace(), settings.name(), identity, settings.lease(), next);
  }

  private void begin(Lead begun) {
    lead = begun;
    tally.gained();
    office.begin(begun, stoodBy);
    office.standBy(false);
  }

  private void renew() throws IOException, InterruptedException {
    long begun = System.nanoTime();
    if (begun - renewedAt >= settings.deadline().toNanos() && !settings.alone()) {
      // This process stood still, or the machine did: another replica may lead by now.
      lose("the lease was not renewed for " + settings.deadline().toSeconds() + " s");
      return;
    }
    LeaseRecord seen = view.seen();
    Optional<LeaseRecord> written =
        object.replace(seen.renewed(identity, settings.lease(), term), limit());
    if (written.isEmpty()) {
      Optional<LeaseRecord> found = object.read(limit());
      view.observed(found.orElse(null));
      if (view.taken()) {
        lose("replica " + found.get().holder() + " has taken the lease");
        return;
      }
      log.info("{} was changed by somebody; it is taken back", object);
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
    tally.renewed(true);
    settled();
  }

  /** No call may take longer than this replica may still lead. */
  private Duration limit() {
    long left = renewedAt + settings.deadline().toNanos() - System.nanoTime();
    Duration longest = settings.alone() ? LIMIT : Duration.ofNanos(Math.max(left, 1_000_000));
    return longest.compareTo(LIMIT) < 0 ? longest : LIMIT;
  }

  /** Another replica leads: until it does not any more. */
  private void follow() throws InterruptedException {
    String other = view.other();
    if (held || over || other.isEmpty()) {
      return;
    }
    if (lead != null) {
      lose("replica " + other + " leads");
    }
    stoodBy = true;
    if (!complaint.equals(other)) {
      complaint = other;
      log.info("Standing by: replica {} leads {}", other, object);
    }
    problem = "";
    office.standBy(true);
    int status = pollOnly ? 403 : watch();
    if (status == 403 || status == 405) {
      pollOnly = true;
      view.watching();
      view.awaitFree(settings.renew().toNanos());
    } else if (view.ended() && status != 200) {
      view.awaitTime(System.nanoTime() + settings.retry().toNanos());
    }
    if (!over && view.free()) {
      act(this::take);
    }
  }

  private int watch() throws InterruptedException {
    view.watching();
    try (LeaseWatch watch = object.watch(view.version(), WATCH_SECONDS, view)) {
      return view.awaitFree(TimeUnit.SECONDS.toNanos(WATCH_SECONDS + 10L));
    } catch (IOException e) {
      view.ended(0);
      return 0;
    }
  }

  /** Leases may not be used. */
  private void forbidden(RefusedException why) throws InterruptedException {
    problem = why.getMessage();
    Duration again = LONGEST_PAUSE;
    if (settings.lenient()) {
      again = ASK_AGAIN;
      if (lead == null) {
        log.warn(
            "Leading without an election, so only one replica may run: {}; permit get, list, watch,"
                + " create and update of leases, or set leader.election to never",
            problem);
        begin(Lead.sole());
      }
    } else {
      complain("Not leading, because the lease cannot be used: " + problem);
    }
    view.awaitTime(System.nanoTime() + again.toNanos());
  }

  /** The API server gives no useful answer. */
  private void away(IOException why) throws InterruptedException {
    problem = String.valueOf(why.getMessage());
    long now = System.nanoTime();
    if (held) {
      tally.renewed(false);
      complain("The lease cannot be renewed: " + problem + "; trying again");
      long left = renewedAt + settings.deadline().toNanos() - now;
      if (left <= 0 && !settings.alone()) {
        lose("the lease could not be renewed: " + problem);
      } else {
        long pauseNanos = settings.retry().toNanos();
        view.awaitTime(now + (left <= 0 ? pauseNanos : Math.min(pauseNanos, left)));
      }
      return;
    }
    complain("The lease cannot be asked for: " + problem + "; trying again");
    if (view.free()) {
      office.standBy(false);
    }
    boolean patient = now - begunAt < FIRST_LIMIT.toNanos();
    if (lead == null && settings.lenient() && settings.alone() && !stoodBy && !patient) {
      log.warn("Leading without an election as the only replica, until the API server answers");
      begin(Lead.sole());
    }
    view.awaitTime(now + pause.toNanos());
    Duration longer = pause.multipliedBy(2);
    pause = longer.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : longer;
  }

  private void lose(String why) {
    Lead last = lead;
    held = false;
    lead = null;
    if (last != null) {
      log.warn("This replica does not lead any more: {}", why);
      tally.lost();
      office.end(last);
    }
  }

  private void complain(String text) {
    if (!complaint.equals(text)) {
      complaint = text;
      log.warn("{}", text);
    }
  }

  private void settled() {
    if (!problem.isEmpty() && !complaint.isEmpty()) {
      log.info("{} is held and renewed", object);
    }
    problem = "";
    complaint = "";
  }

  private boolean handOver(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    if (!acting.tryLock(limit.toNanos(), TimeUnit.NANOSECONDS)) {
      return false;
    }
    try {
      if (!held || over) {
        return false;
      }
      over = true;
      Lead last = lead;
      lead = null;
      tally.lost();
      office.end(last);
      held = false;
      if (!release()) {
        return view.taken();
      }
    } finally {
      acting.unlock();
    }
    log.info("The lead is free for another replica");
    return awaitSuccessor(end);
  }

  /** Gives the lease away; false if it was not ours any more or cannot be written. */
  private boolean release() throws InterruptedException {
    try {
      LeaseRecord seen = view.seen();
      Optional<LeaseRecord> written =
          seen == null ? Optional.empty() : object.replace(seen.released(), LIMIT);
      if (written.isEmpty()) {
        view.observed(object.read(LIMIT).orElse(null));
        seen = view.seen();
        if (seen == null || !seen.holder().equals(identity)) {
          return false;
        }
        written = object.replace(seen.released(), LIMIT);
      }
      written.ifPresent(view::observed);
      return written.isPresent();
    } catch (IOException e) {
      log.warn("The lease is not given back and runs out by itself: {}", e.getMessage());
      return false;
    }
  }

  private boolean awaitSuccessor(long end) throws InterruptedException {
    while (!view.taken() && end - System.nanoTime() > 0 && !view.closed()) {
      view.watching();
      try (LeaseWatch watch = object.watch(view.version(), WATCH_SECONDS, view)) {
        view.awaitTaken(end);
        if (view.ended()) {
          view.observed(object.read(LIMIT).orElse(view.seen()));
          view.awaitTime(Math.min(end, System.nanoTime() + 500_000_000));
        }
      } catch (IOException e) {
        log.debug("Cannot see who leads now: {}", e.getMessage());
        return false;
      }
    }
    return view.taken();
  }

  /** Ends the lead, tells everyone, and then gives the lease back, within a few seconds. */
  void close() {
    over = true;
    view.close();
    thread.interrupt();
    try {
      thread.join(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    acting.lock();
    try {
      boolean mine = held;
      Lead last = lead;
      held = false;
      lead = null;
      if (last != null) {
        tally.lost();
        office.end(last);
      }
      if (mine) {
        release();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      acting.unlock();
    }
  }
}
