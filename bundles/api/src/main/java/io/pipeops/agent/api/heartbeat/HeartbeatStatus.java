package io.pipeops.agent.api.heartbeat;

import java.time.Instant;
import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/** How the heartbeats are going. */
@ProviderType
public interface HeartbeatStatus {
  /** When the last one was written to the connection. */
  Optional<Instant> lastSuccess();

  /** Failed cycles since then; a heartbeat that was skipped while the link was down is none. */
  int consecutiveFailures();
}
