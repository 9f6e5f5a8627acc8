package io.pipeops.agent.forward;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** {@link ForwardConfig} as values. */
record Settings(
    boolean tcp,
    boolean udp,
    boolean api,
    boolean apiAsAgent,
    List<TargetPattern> allowed,
    List<TargetPattern> denied,
    boolean localAddresses,
    int tcpConnections,
    int udpSessions,
    int apiStreams,
    Duration tcpIdle,
    Duration udpIdle,
    Duration connect,
    long memoryBytes,
    Duration drain) {
  static Settings of(ForwardConfig config) {
    long mib = config.memory_mib();
    return new Settings(
        config.tcp(),
        config.udp(),
        config.api(),
        !config.api_credentials().equals("none"),
        patterns(config.allowed_targets()),
        patterns(config.denied_targets()),
        config.local_addresses(),
        config.tcp_connections(),
        config.udp_sessions(),
        config.api_streams(),
        Duration.ofSeconds(config.tcp_idle_seconds()),
        Duration.ofSeconds(config.udp_idle_seconds()),
        Duration.ofSeconds(config.connect_seconds()),
        mib > 0 ? mib << 20 : Runtime.getRuntime().maxMemory() / 8,
        Duration.ofSeconds(config.drain_seconds()));
  }

  private static List<TargetPattern> patterns(String[] texts) {
    List<TargetPattern> patterns = new ArrayList<>();
    for (String text : texts) {
      if (!text.isBlank()) {
        patterns.add(TargetPattern.parse(text.strip()));
      }
    }
    return patterns;
  }
}
