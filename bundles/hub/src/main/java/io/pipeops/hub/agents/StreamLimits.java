package io.pipeops.hub.agents;

/**
 * What the streams to agents may take (protocol 5.3).
 *
 * @param enabled whether agents are offered streams
 * @param streams how many may be open to one agent
 * @param window what the receive window of one stream may grow to, in bytes
 * @param memory bytes that all streams together may hold unread
 */
public record StreamLimits(boolean enabled, int streams, int window, long memory) {
  /** The defaults of the settings. */
  public static StreamLimits standard() {
    return new StreamLimits(true, 4096, 4 << 20, Runtime.getRuntime().maxMemory() / 4);
  }
}
