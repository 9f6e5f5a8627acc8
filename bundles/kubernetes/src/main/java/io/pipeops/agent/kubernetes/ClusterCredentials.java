package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the token and the CA that the agent reports at registration and keeps them in the state
 * (protocol 9.4). The agent's own token replaces what was known whenever it changes, then the
 * configured one; a token is taken if it is allowed to create namespaces, or if nobody can tell.
 */
@Component(
    service = ClusterCredentials.class,
    configurationPid = "io.pipeops.agent.kubernetes",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class ClusterCredentials {
  private static final Logger log = LoggerFactory.getLogger(ClusterCredentials.class);
  private static final long REVIEW_AGAIN_NANOS = Duration.ofMinutes(10).toNanos();

  private final ClusterAccess access;
  private final StateStore store;
  private final String configured;
  private String taken = "";
  private String refused = "";
  private long refusedNanos;

  @Activate
  public ClusterCredentials(
      @Reference ClusterAccess access, @Reference StateStore store, KubernetesConfig config) {
    this.access = access;
    this.store = store;
    this.configured = config.service_token().trim();
  }

  /** The token to report; empty if there is none. A secret. */
  String token() {
    String known = store.load().clusterToken();
    return known.isEmpty() ? candidate() : known;
  }

  /**
   * Looks whether token or CA have changed and stores what has. May call the API server.
   *
   * @return whether something that had been reported before is another now
   */
  synchronized boolean refresh(Duration limit) throws InterruptedException {
    PersistedState before = store.load();
    String token = before.clusterToken();
    String candidate = candidate();
    if (!candidate.isEmpty() && !candidate.equals(taken)) {
      if (candidate.equals(token)) {
        taken = candidate;
      } else if (acceptable(candidate, limit)) {
        taken = candidate;
        token = candidate;
      } else if (token.isEmpty()) {
        log.debug("Nothing better than a refused token is known");
      }
    }
    String pem = access.server().map(LocatedApiServer::caPem).orElse("");
    String ca =
        pem.isEmpty()
            ? before.clusterCa()
            : Base64.getEncoder().encodeToString(pem.getBytes(StandardCharsets.UTF_8));
    if (token.equals(before.clusterToken()) && ca.equals(before.clusterCa())) {
      return false;
    }
    String newToken = token;
    store.update(state -> state.withCredentials(newToken, ca));
    boolean reportedBefore =
        !before.clusterToken().isEmpty() && !token.equals(before.clusterToken())
            || !before.clusterCa().isEmpty() && !ca.equals(before.clusterCa());
    if (reportedBefore) {
      log.info("The credentials for the cluster have changed");
    }
    return reportedBefore;
  }

  private String candidate() {
    Optional<String> own = access.server().flatMap(LocatedApiServer::token);
    return own.orElse(configured);
  }

  private boolean acceptable(String candidate, Duration limit) throws InterruptedException {
    long now = System.nanoTime();
    if (candidate.equals(refused) && now - refusedNanos < REVIEW_AGAIN_NANOS) {
      return false;
    }
    try {
      if (access.client().isEmpty() || access.mayManage(candidate, limit)) {
        return true;
      }
      if (!candidate.equals(refused)) {
        log.warn(
            "The token for the cluster may not create namespaces, so the control plane can do little"
                + " with it; asked again every 10 min");
      }
    } catch (IOException e) {
      log.debug("Cannot tell what the token may do: {}", e.getMessage());
      return true;
    }
    refused = candidate;
    refusedNanos = now;
    return false;
  }
}
