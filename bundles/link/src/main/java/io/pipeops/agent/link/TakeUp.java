package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.protocol.LinkResume;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives a connection that has lost its socket another one, for as long as both sides keep the
 * session. Tries often: every stream of the cluster is waiting.
 */
final class TakeUp {
  private static final Logger log = LoggerFactory.getLogger(TakeUp.class);

  /** Never longer between two attempts, or much of the limit would pass asleep. */
  private static final Duration LONGEST = Duration.ofSeconds(2);

  private final Dialer dialer;
  private final Duration handshake;
  private final Duration shortest;
  private final LinkMetrics metrics;
  private final ConnectLoop.Pause pause;

  TakeUp(
      Dialer dialer,
      Duration handshake,
      Duration shortest,
      LinkMetrics metrics,
      ConnectLoop.Pause pause) {
    this.dialer = dialer;
    this.handshake = handshake;
    this.shortest = shortest.compareTo(LONGEST) < 0 ? shortest : LONGEST;
    this.metrics = metrics;
    this.pause = pause;
  }

  /**
   * Tries until it succeeds, the peer refuses, or the time is over; then the connection has ended.
   *
   * @param headers of each upgrade request
   * @return whether the connection goes on
   */
  boolean run(
      LinkConnection connection, URI peer, Map<String, String> headers, BooleanSupplier stopping)
      throws InterruptedException {
    Duration limit = connection.resumption().limit();
    long until = connection.lostSince() + limit.toNanos();
    Backoff waits = new Backoff(shortest, LONGEST, () -> ThreadLocalRandom.current().nextDouble());
    Map<String, String> with = new HashMap<>(headers);
    with.put(LinkResume.HEADER, connection.resumption().session());
    String reason = connection.lostBecause();
    log.warn("Connection lost: {}; taking it up again for at most {} s", reason, limit.toSeconds());
    while (!stopping.getAsBoolean() && connection.detached()) {
      long left = until - System.nanoTime();
      if (left <= 0) {
        metrics.resumesExpired.increment();
        connection.abort("not taken up again within " + limit.toSeconds() + " s: " + reason);
        return false;
      }
      try {
        LinkSocket socket = connection.nextSocket();
        dialer.dial(peer, socket, with);
        connection.takeUp(socket, min(handshake, Duration.ofNanos(left)));
        metrics.resumed.increment();
        log.info(
            "Connection taken up again after {} ms; every stream goes on",
            (System.nanoTime() - connection.lostSince()) / 1_000_000);
        return true;
      } catch (RefusedException e) {
        if (e.given()) {
          metrics.resumesRefused.increment();
          connection.abort("the peer has given the session up: " + e.getMessage());
          return false;
        }
        reason = e.getMessage();
      } catch (LinkLostException | TimeoutException e) {
        reason = e instanceof TimeoutException ? "no answer to link_resume" : e.getMessage();
      } catch (IOException e) {
        reason = Failures.describe(e);
      }
      log.debug("Not taken up yet: {}", reason);
      pause.pause(min(waits.next(), Duration.ofNanos(Math.max(1, until - System.nanoTime()))));
    }
    return false;
  }

  private static Duration min(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
  }
}
