package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkState;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a replica does that does not lead: it waits, and makes sure that it could take over. */
final class Standby {
  private static final Logger log = LoggerFactory.getLogger(Standby.class);
  private static final Duration LONG = Duration.ofHours(1);

  private final Object monitor;
  private final BooleanSupplier stopping;
  private final Mandate mandate;
  private final StandbyCheck check;
  private final StatusBoard board;
  private String lastLogged = "";

  /**
   * @param monitor notified when the mandate changes or the link stops
   */
  Standby(
      Object monitor,
      BooleanSupplier stopping,
      Mandate mandate,
      StandbyCheck check,
      StatusBoard board) {
    this.monitor = monitor;
    this.stopping = stopping;
    this.mandate = mandate;
    this.check = check;
    this.board = board;
  }

  /** Waits until it is known who leads; false if all is over. */
  boolean awaitDecision() throws InterruptedException {
    if (!mandate.leaving()) {
      board.state(LinkState.CONNECTING, "nobody is known to lead yet");
    }
    synchronized (monitor) {
      while (!stopping.getAsBoolean() && !mandate.leads() && !mandate.follows()) {
        monitor.wait();
      }
    }
    return !stopping.getAsBoolean();
  }

  /** Stands by for as long as another replica leads. */
  void follow() throws InterruptedException {
    check.begin();
    lastLogged = "";
    while (mandate.follows() && !stopping.getAsBoolean()) {
      String problem = check.problem();
      if (problem.isEmpty()) {
        board.state(LinkState.STANDBY, "this replica does not lead");
        note("Standing by, not connected, until this replica leads");
        await(LONG);
      } else {
        board.state(LinkState.CONNECTING, "standing by, but could not take over: " + problem);
        note("This replica stands by, but could not take over: " + problem + "; trying again");
        await(check.pause());
      }
    }
  }

  private void note(String text) {
    if (!text.equals(lastLogged)) {
      lastLogged = text;
      log.info("{}", text);
    }
  }

  private void await(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    synchronized (monitor) {
      for (long left = limit.toNanos();
          left > 0 && !stopping.getAsBoolean() && mandate.follows();
          left = end - System.nanoTime()) {
        TimeUnit.NANOSECONDS.timedWait(monitor, Math.max(1_000_000, left));
      }
    }
  }
}
