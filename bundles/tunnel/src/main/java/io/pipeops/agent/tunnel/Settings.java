package io.pipeops.agent.tunnel;

import java.time.Duration;

/** The configuration in the units that the code works with; see {@link TunnelConfig}. */
record Settings(
    Duration drain,
    int maxStreams,
    int maxWaiting,
    Duration answer,
    Duration request,
    Duration idle,
    int bufferedBytes,
    int inboxBytes,
    long memoryBytes,
    int socketBytes,
    Duration ping,
    boolean encodedPaths,
    boolean agentCredentials) {

  static Settings of(TunnelConfig config) {
    long memory = (long) config.memory_mib() << 20;
    return new Settings(
        Duration.ofSeconds(config.drain_seconds()),
        config.max_streams(),
        config.max_waiting(),
        Duration.ofSeconds(config.answer_seconds()),
        Duration.ofSeconds(config.request_seconds()),
        Duration.ofSeconds(config.idle_seconds()),
        config.buffered_mib() << 20,
        config.inbox_kib() << 10,
        memory > 0 ? memory : Runtime.getRuntime().maxMemory() / 4,
        config.socket_mib() << 20,
        Duration.ofSeconds(config.ping_seconds()),
        config.encoded_paths(),
        config.agent_credentials());
  }
}
