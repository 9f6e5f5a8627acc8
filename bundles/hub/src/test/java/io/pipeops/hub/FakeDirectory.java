package io.pipeops.hub;

import io.pipeops.hub.agents.AgentCredential;
import io.pipeops.hub.agents.ClusterDirectory;
import io.pipeops.hub.agents.RegisteredCluster;
import io.pipeops.hub.agents.Registration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Clusters in memory. Agent tokens begin with {@code agent-} and are their own credential; the
 * token of a cluster's clients is {@code client-} and its id.
 */
public final class FakeDirectory implements ClusterDirectory {
  public final Map<String, RegisteredCluster> clusters = new ConcurrentHashMap<>();
  public final Map<String, String> tokens = new ConcurrentHashMap<>();
  public final List<Registration> registrations = new CopyOnWriteArrayList<>();
  public final List<String> heartbeats = new CopyOnWriteArrayList<>();
  public volatile boolean broken;

  @Override
  public Optional<AgentCredential> authenticateAgent(String bearer) {
    if (broken) {
      throw new IllegalArgumentException("the database is away");
    }
    return bearer.startsWith("agent-")
        ? Optional.of(new AgentCredential(bearer, bearer, Optional.empty()))
        : Optional.empty();
  }

  @Override
  public synchronized RegisteredCluster register(AgentCredential who, Registration what) {
    if (what.name().equals("refuse-me")) {
      throw new IllegalStateException("no more clusters for this token");
    }
    registrations.add(what);
    RegisteredCluster found =
        clusters.values().stream()
            .filter(c -> c.credentialId().equals(who.id()))
            .filter(c -> c.id().equals(what.clusterId()) || c.agentId().equals(what.agentId()))
            .findFirst()
            .orElseGet(
                () -> {
                  String id = UUID.randomUUID().toString();
                  return new RegisteredCluster(id, id, what.name(), who.id(), what.agentId());
                });
    clusters.put(found.id(), found);
    if (!what.serviceToken().isEmpty()) {
      tokens.put(found.id(), what.serviceToken());
    }
    return found;
  }

  @Override
  public Optional<RegisteredCluster> find(String clusterId) {
    return Optional.ofNullable(clusters.get(clusterId));
  }

  @Override
  public void heartbeat(String clusterId, Instant at, String json) {
    heartbeats.add(json);
  }

  @Override
  public Optional<String> serviceToken(String clusterId) {
    return Optional.ofNullable(tokens.get(clusterId));
  }

  @Override
  public boolean authorizeClient(String clusterId, String bearer) {
    return clusters.containsKey(clusterId) && bearer.equals("client-" + clusterId);
  }

  @Override
  public boolean knowsClient(String bearer) {
    return bearer.startsWith("client-");
  }
}
