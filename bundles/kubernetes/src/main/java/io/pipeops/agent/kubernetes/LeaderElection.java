package io.pipeops.agent.kubernetes;

import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.time.Duration;
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

  /** For so long a replica that is alone waits for the API server before it leads without it. */
  private static final Duration FIRST_LIMIT = Duration.ofSeconds(7);

  private static final Duration ASK_AGAIN = Duration.ofMinutes(5);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

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

  private volatile LeaseTenure tenure;
  private volatile Lead lead;
  private volatile boolean held;
  private volatile boolean over;
  private volatile String problem = "nobody is known to lead yet";
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
    LeaseTenure present = tenure;
    if (present != null) {
      present.apply(changed);
    }
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
        if (tenure == null) {
          String namespace = access.server().orElseThrow().namespace();
          LeaseObject object = new LeaseObject(api.get(), namespace, settings.name());
          tenure = new LeaseTenure(object, view, identity, settings);
        }
        step();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void step() throws InterruptedException {
    try {
      if (held) {
        view.awaitTime(tenure.renewedAt() + settings.renew().toNanos());
        act(this::renew);
      } else {
        act(this::seek);
        follow();
      }
    } catch (RuntimeException | LinkageError e) {
      log.error("The election of a leader failed in an unexpected way; beginning anew", e);
      problem = "internal error: " + e;
      lose("of an internal error");
      view.awaitTime(System.nanoTime() + LONGEST_PAUSE.toNanos());
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
    tenure.look();
    if (view.free()) {
      take();
    }
  }

  private void take() throws IOException, InterruptedException {
    if (!tenure.take()) {
      return;
    }
    held = true;
    settled();
    log.info("This replica leads {} identity={} term={}", tenure, identity, tenure.term());
    Lead present = lead;
    if (present == null) {
      begin(new Lead(tenure.key(), tenure.term(), this::handOver));
    } else {
      present.elected(tenure.key(), tenure.term(), this::handOver);
      office.changed(present);
    }
  }

  private void begin(Lead begun) {
    lead = begun;
    tally.gained();
    office.begin(begun, stoodBy);
    office.standBy(false);
  }

  private void renew() throws IOException, InterruptedException {
    if (tenure.leftNanos() <= 0 && !settings.alone()) {
      // This process stood still, or the machine did: another replica may lead by now.
      lose("the lease was not renewed for " + settings.deadline().toSeconds() + " s");
    } else if (tenure.renew()) {
      tally.renewed(true);
      settled();
    } else {
      lose("replica " + view.other() + " has taken the lease");
    }
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
      log.info("Standing by: replica {} leads {}", other, tenure);
    }
    problem = "";
    office.standBy(true);
    int status = pollOnly ? 403 : tenure.watch();
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
      long left = tenure.leftNanos();
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
      log.info("{} is held and renewed", tenure);
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
      if (tenure.release()) {
        log.info("The lead is free for another replica");
      }
    } catch (IOException e) {
      log.warn("The lease is not given away and runs out by itself: {}", e.getMessage());
      return false;
    } finally {
      acting.unlock();
    }
    try {
      return tenure.awaitSuccessor(end);
    } catch (IOException e) {
      log.debug("Cannot see who leads now: {}", e.getMessage());
      return false;
    }
  }

  private void release() throws InterruptedException {
    try {
      tenure.release();
    } catch (IOException e) {
      log.warn("The lease is not given back and runs out by itself: {}", e.getMessage());
    }
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
