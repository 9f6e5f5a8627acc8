package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.link.LinkState;
import java.time.Duration;

/**
 * How long to wait (protocol 1.10).
 *
 * @param attempts tries of one heartbeat
 */
record Pace(
    Duration connected,
    Duration reconnecting,
    Duration disconnected,
    int attempts,
    Duration retry,
    Duration longestRetry) {
  static Pace of(HeartbeatConfig config) {
    return new Pace(
        Duration.ofSeconds(config.connected_seconds()),
        Duration.ofSeconds(config.reconnecting_seconds()),
        Duration.ofSeconds(config.disconnected_seconds()),
        config.retry_attempts(),
        Duration.ofSeconds(config.retry_seconds()),
        Duration.ofSeconds(30));
  }

  Duration period(LinkState state) {
    return switch (state) {
      case CONNECTED, CONNECTING -> connected;
      case RECONNECTING, STANDBY -> reconnecting;
      case DISCONNECTED -> disconnected;
    };
  }

  /** The pause after the try with this number, from 1. */
  Duration pause(int attempt) {
    Duration pause = retry.multipliedBy(1L << Math.min(attempt - 1, 10));
    return pause.compareTo(longestRetry) > 0 ? longestRetry : pause;
  }
}
