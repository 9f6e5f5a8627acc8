package io.pipeops.agent.protocol.yamux;

import java.time.Duration;

/**
 * How a session behaves; the defaults are those of protocol 5.3.
 *
 * @param startWindow what a new stream's receive window is raised to at once, if the budget allows
 * @param maxWindow what it may grow to with use
 * @param backlog streams that may wait to be accepted, and own streams to be acknowledged
 * @param maxStreams streams that may be open at a time
 * @param keepAlive how often the peer is pinged; zero for never
 * @param timeout how long an answer to a ping, or a place to open a stream, is waited for
 * @param halfClosed how long a stream stays that this side has ended and on which the peer is
 *     silent
 */
public record YamuxSettings(
    int startWindow,
    int maxWindow,
    int backlog,
    int maxStreams,
    Duration keepAlive,
    Duration timeout,
    Duration halfClosed) {
  /** The receive window that every stream begins with and nobody has to announce. */
  public static final int BASE_WINDOW = 256 << 10;

  /**
   * For a peer that tells which streams it knows: what it knows is alive, and an answer may take
   * hours.
   */
  public static final Duration HALF_CLOSED_FOR_EVER = Duration.ofDays(10_000);

  public static final YamuxSettings DEFAULT =
      new YamuxSettings(
          BASE_WINDOW,
          4 << 20,
          256,
          4096,
          Duration.ofSeconds(30),
          Duration.ofSeconds(30),
          Duration.ofMinutes(5));

  public YamuxSettings {
    if (startWindow < BASE_WINDOW || maxWindow < startWindow || maxWindow > 1 << 30) {
      throw new IllegalArgumentException("windows of " + startWindow + " to " + maxWindow);
    }
  }

  /** With what a {@code gateway_hello} asks for. */
  public YamuxSettings with(int window, Duration keepAlive, Duration timeout) {
    int start = Math.max(window, BASE_WINDOW);
    return new YamuxSettings(
        start, Math.max(start, maxWindow), backlog, maxStreams, keepAlive, timeout, halfClosed);
  }
}
