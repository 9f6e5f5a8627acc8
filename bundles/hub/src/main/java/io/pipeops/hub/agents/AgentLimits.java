package io.pipeops.hub.agents;

import java.time.Duration;

/**
 * What one agent may ask of the hub's memory and patience.
 *
 * @param maxMessage longest WebSocket message in bytes; a longer one closes the connection (1009)
 * @param streamQueue bytes of one response that may wait for its reader
 * @param totalQueue bytes of all responses together that may wait for their readers
 * @param stall how long a full stream may hold up its agent's socket before it is aborted
 * @param ping how often an agent is pinged
 * @param dead how long an agent may be silent
 * @param requests how many requests one cluster may have in flight
 * @param responseHead how long a response may take to begin
 */
public record AgentLimits(
    int maxMessage,
    long streamQueue,
    long totalQueue,
    Duration stall,
    Duration ping,
    Duration dead,
    int requests,
    Duration responseHead) {
  /** The defaults of the settings. */
  public static AgentLimits standard() {
    return new AgentLimits(
        32 << 20,
        8 << 20,
        Runtime.getRuntime().maxMemory() / 4,
        Duration.ofSeconds(2),
        Duration.ofSeconds(10),
        Duration.ofSeconds(30),
        512,
        Duration.ofSeconds(70));
  }
}
