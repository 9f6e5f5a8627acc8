package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the cluster goes from this replica's connection to another's (protocol 1.13): whether the
 * peer takes it over while both are connected, whether it has, and whether a connection may go on
 * without the lead. Its state is guarded by the connect loop's lock, which waiters wait on.
 */
final class Succession {
  private static final Logger log = LoggerFactory.getLogger(Succession.class);

  private final Object lock;
  private final Mandate mandate;

  /** Whether the peer said at the last registration that it takes over. */
  private boolean offered;

  /** Whether the peer takes the cluster over from this connection to another replica's. */
  private boolean relievable;

  /** Whether it has done so. */
  private boolean relieved;

  Succession(Object lock, Mandate mandate) {
    this.lock = lock;
    this.mandate = mandate;
  }

  /** There is another connection, to the peer that made the last offer. */
  void connected() {
    synchronized (lock) {
      relieved = false;
      relievable = offered && mandate.term() > 0;
    }
  }

  /** The registration of this term is done. */
  void registered(boolean offer, long term) {
    synchronized (lock) {
      offered = offer;
      relievable = offered && term > 0;
    }
  }

  /** The peer has given the cluster to another replica's connection; false if that was known. */
  boolean relieve() {
    synchronized (lock) {
      boolean first = !relieved;
      relieved = true;
      lock.notifyAll();
      return first;
    }
  }

  boolean relieved() {
    synchronized (lock) {
      return relieved;
    }
  }

  boolean relievable() {
    synchronized (lock) {
      return relievable;
    }
  }

  /** Whether nothing is registered on the connection any more. */
  boolean over() {
    return relieved() || !mandate.leads();
  }

  /** Whether the connection goes on without the lead. */
  boolean serves() {
    synchronized (lock) {
      return relieved || relievable || mandate.leaving();
    }
  }

  /** Whether there is neither the lead nor a reason to go on without it. */
  boolean withdrawn() {
    synchronized (lock) {
      return over() && !serves();
    }
  }

  /**
   * Before this process ends: lets another replica take over while this one still serves. Returns
   * when that one has registered, or when there is nobody for it.
   *
   * @param connected whether the connection that serves still does
   * @param take how long another replica may take to become the leader
   * @param register how long it may take to register then
   */
  void handOver(Leadership lead, BooleanSupplier connected, Duration take, Duration register)
      throws InterruptedException {
    mandate.leave();
    log.info("Handing over to another replica");
    if (!lead.handOver(take)) {
      log.info("No other replica takes over");
      return;
    }
    long end = System.nanoTime() + register.toNanos();
    synchronized (lock) {
      while (!relieved && connected.getAsBoolean() && end - System.nanoTime() > 0) {
        TimeUnit.NANOSECONDS.timedWait(lock, Math.max(1_000_000, end - System.nanoTime()));
      }
      if (!relieved) {
        log.warn("Another replica leads but has not registered within {} s", register.toSeconds());
      }
    }
  }
}
