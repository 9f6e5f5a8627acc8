package io.pipeops.hub;

import java.time.Duration;

/**
 * Where and how the server listens.
 *
 * @param host address to bind
 * @param port port to bind; 0 for any
 * @param maxConnections how many connections at a time
 * @param connectionRequests how many requests on one connection
 * @param headerLimit how long the headers of a request may take
 * @param idle how long a connection may be idle
 */
public record HubListener(
    String host,
    int port,
    int maxConnections,
    int connectionRequests,
    Duration headerLimit,
    Duration idle) {
  /** Any port of this machine with the defaults of the settings. */
  public static HubListener local() {
    return new HubListener(
        "127.0.0.1", 0, 4096, 10_000, Duration.ofSeconds(10), Duration.ofSeconds(60));
  }
}
