package io.pipeops.agent.link;

import java.time.Duration;

/**
 * What the streams of the peer may take.
 *
 * @param enabled whether an offer of yamux is accepted
 * @param streams how many may be open at a time
 * @param window what one stream's receive window may grow to, in bytes
 * @param memory bytes that all streams together may hold unread
 * @param hold how long a stream waits for the feature that handles it
 */
record StreamLimits(boolean enabled, int streams, int window, long memory, Duration hold) {
  static StreamLimits of(LinkConfig config) {
    long memory = config.stream_memory_bytes();
    return new StreamLimits(
        config.yamux(),
        config.max_streams(),
        config.stream_window_bytes(),
        memory > 0 ? memory : Runtime.getRuntime().maxMemory() / 4,
        Duration.ofMillis(config.hold_millis()));
  }
}
