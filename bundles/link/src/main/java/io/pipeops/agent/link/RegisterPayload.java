package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.link.LinkSettings.Peer;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.Register;
import java.time.Clock;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** Puts together what the agent says of itself (protocol 2.5.1). */
final class RegisterPayload {
  /** Facts that the link needs and the peer does not get (Q14). */
  static final String CA_FACT = "cluster_cert_data";

  static final String TOKEN_FACT = "k8s_service_token";

  private final Peer settings;
  private final HostFacts host;
  private final Clock clock;

  RegisterPayload(Peer settings, HostFacts host, Clock clock) {
    this.settings = settings;
    this.host = host;
    this.clock = clock;
  }

  /** A fact that is text; empty if it is not known. */
  static String text(Map<String, ?> facts, String name) {
    return facts.get(name) instanceof String text ? text : "";
  }

  /**
   * The message.
   *
   * @param facts what the other bundles know; it may replace all but the identity
   * @param address the local source address; empty if unknown
   * @param lease what elected this replica; empty if nothing did
   * @param term grows with each leader; 0 without an election
   */
  Register build(
      PersistedState identity, Map<String, ?> facts, String address, String lease, long term) {
    String hostname = host.hostname();
    Map<String, Object> labels = new LinkedHashMap<>(settings.labels());
    labels.put("hostname", hostname);
    labels.put("agent.pipeops.io/version", settings.version());
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("agent_mode", "vm-agent");
    metadata.put("registration_mode", identity.clusterId().isEmpty() ? "fresh" : "resume");
    metadata.put(
        "registration_timestamp", clock.instant().truncatedTo(ChronoUnit.SECONDS).toString());
    if (term > 0) {
      metadata.put(HandedOver.LEASE, lease);
      metadata.put(HandedOver.TERM, Long.toString(term));
    }

    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("name", settings.clusterName());
    fields.put("k8s_version", "v1.28.0+k3s1");
    fields.put("hostname", hostname);
    fields.put("agent_version", settings.version());
    fields.put("server_ip", address.isEmpty() ? "0.0.0.0" : address);
    fields.put("region", "unknown-country");
    fields.put("cloud_provider", "agent");
    fields.put("labels", labels);
    fields.put("server_specs", host.specs());
    fields.put("metadata", metadata);
    FactCollector.merge(fields, facts);
    fields.remove(CA_FACT);
    fields.put("agent_id", identity.agentId());
    fields.put("cluster_id", identity.clusterId());
    return Register.of(fields);
  }
}
