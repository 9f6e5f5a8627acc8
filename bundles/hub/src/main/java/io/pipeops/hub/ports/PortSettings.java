package io.pipeops.hub.ports;

import java.util.ArrayList;
import java.util.List;

/**
 * Where ports may be opened.
 *
 * @param host address to bind
 * @param from first port; 0 if there are no ports at all
 * @param to last port
 * @param connections how many TCP connections and UDP clients one port may have at a time
 */
public record PortSettings(String host, int from, int to, int connections) {
  /** No ports. */
  public static final PortSettings OFF = new PortSettings("", 0, -1, 0);

  /**
   * Reads the setting.
   *
   * @param range {@code 15000-15099}, one port, or empty for none
   * @throws IllegalArgumentException if it is none of these
   */
  public static PortSettings of(String host, String range, int connections) {
    if (range.isBlank()) {
      return OFF;
    }
    String[] ends = range.strip().split("-", -1);
    try {
      int from = Integer.parseInt(ends[0].strip());
      int to = ends.length == 1 ? from : Integer.parseInt(ends[1].strip());
      if (ends.length <= 2 && from >= 1 && to <= 65535 && from <= to) {
        return new PortSettings(host, from, to, connections);
      }
    } catch (NumberFormatException e) {
      // Told below, with what was written.
    }
    throw new IllegalArgumentException(
        "hub.port_range is not a range of ports such as 15000-15099: " + range);
  }

  /** Whether ports can be opened at all. */
  public boolean enabled() {
    return from > 0;
  }

  /** Whether a port is in the range. */
  public boolean allows(int port) {
    return enabled() && port >= from && port <= to;
  }

  List<Integer> all() {
    List<Integer> ports = new ArrayList<>();
    for (int port = from; port <= to; port++) {
      ports.add(port);
    }
    return ports;
  }
}
