package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.heartbeat.HeartbeatFact;
import java.time.Duration;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** What every heartbeat says of the cluster: its version. */
@Component
public final class ClusterHeartbeatFact implements HeartbeatFact {
  private final ClusterReach reach;

  @Activate
  public ClusterHeartbeatFact(@Reference ClusterReach reach) {
    this.reach = reach;
  }

  @Override
  public Map<String, Object> facts() {
    try {
      String version = reach.version(Duration.ZERO);
      return version.isEmpty() ? Map.of() : Map.of("metadata", Map.of("k8s_version", version));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Map.of();
    }
  }
}
