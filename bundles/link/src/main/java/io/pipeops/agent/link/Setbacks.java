package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkState;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What follows a failed attempt or a lost connection: the state that is shown, one line in the log
 * for each new reason, and the wait before the next attempt (protocol 1.12, 1.13, 1.16). Of the
 * connect loop's thread alone.
 */
final class Setbacks {
  private static final Logger log = LoggerFactory.getLogger(Setbacks.class);

  /** Failures in a row after which the state is no longer "reconnecting" (protocol 1.16). */
  private static final int HOPELESS = 10;

  private static final String STANDBY = "standby";

  private final StatusBoard board;
  private final Backoff backoff;
  private final ConnectLoop.Pause pause;
  private final BooleanSupplier stopping;
  private boolean everConnected;
  private int failures;
  private String lastLogged = "";

  Setbacks(StatusBoard board, Backoff backoff, ConnectLoop.Pause pause, BooleanSupplier stopping) {
    this.board = board;
    this.backoff = backoff;
    this.pause = pause;
    this.stopping = stopping;
  }

  /** Shows and says why there is no connection, and waits. */
  void failed(String reason) throws InterruptedException {
    failed(reason, backoff.next());
  }

  /** The same for what will not mend soon. */
  void failedForLong(String reason) throws InterruptedException {
    failed(reason, backoff.longest());
  }

  private void failed(String reason, Duration delay) throws InterruptedException {
    if (stopping.getAsBoolean()) {
      return;
    }
    failures++;
    LinkState state =
        failures >= HOPELESS
            ? LinkState.DISCONNECTED
            : everConnected ? LinkState.RECONNECTING : LinkState.CONNECTING;
    board.state(state, reason);
    if (reason.equals(lastLogged)) {
      log.debug("Still not connected after {} attempts: {}", failures, reason);
    } else {
      lastLogged = reason;
      log.warn("Not connected: {}; trying again in {} ms", reason, delay.toMillis());
    }
    pause.pause(delay);
  }

  /** The first failure in a row is tried again at once. */
  void failedOnce(String reason) throws InterruptedException {
    if (failures == 0) {
      failures++;
    } else {
      failed(reason);
    }
  }

  /** Another agent holds the identity: asks again now and then, for it may go. */
  void standby(String reason, Duration every) throws InterruptedException {
    failures++;
    if (!lastLogged.equals(STANDBY)) {
      lastLogged = STANDBY;
      log.info(
          "Another agent holds this identity; standing by and asking every {} s: {}",
          every.toSeconds(),
          reason);
    }
    board.state(LinkState.STANDBY, "another agent holds this identity: " + reason);
    pause.pause(every);
  }

  /** Waits as after a failure that nobody needs to hear of. */
  void pause() throws InterruptedException {
    pause.pause(backoff.next());
  }

  /** There is a connection; whether it is one after failures. */
  boolean overcome() {
    boolean again = everConnected && failures > 0;
    everConnected = true;
    lastLogged = "";
    return again;
  }

  /** What failed so far counts no more. */
  void forget() {
    failures = 0;
    backoff.reset();
  }

  /** The next reason is logged whatever it is. */
  void begin() {
    forget();
    lastLogged = "";
  }
}
