package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.link.RegistrationFact;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** What registration says of the cluster: its version, and the token to use in it. */
@Component
public final class ClusterRegistrationFact implements RegistrationFact {
  private static final Duration LIMIT = Duration.ofMillis(1500);

  private final ClusterReach reach;
  private final ClusterCredentials credentials;

  @Activate
  public ClusterRegistrationFact(
      @Reference ClusterReach reach, @Reference ClusterCredentials credentials) {
    this.reach = reach;
    this.credentials = credentials;
  }

  @Override
  public Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    try {
      put(facts, "k8s_version", reach.version(LIMIT));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    put(facts, "k8s_service_token", credentials.token());
    return facts;
  }

  private static void put(Map<String, Object> facts, String name, String value) {
    if (!value.isEmpty()) {
      facts.put(name, value);
    }
  }
}
