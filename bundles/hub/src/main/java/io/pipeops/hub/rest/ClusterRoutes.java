package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.hub.agents.SessionInfo;
import io.pipeops.hub.ports.PortDesk;
import io.pipeops.hub.store.ClusterRecord;
import io.pipeops.hub.store.HeartbeatSummary;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.IssuedToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Clusters, with what is stored and what is live in one object each; and their kubeconfigs. */
final class ClusterRoutes {
  private static final Logger log = LoggerFactory.getLogger(ClusterRoutes.class);
  private static final String LIST = "/api/v1/clusters";
  private static final String ONE = "/api/v1/clusters/{cluster}";

  private final HubStore store;
  private final LiveSessions sessions;
  private final RestSettings settings;
  private final Optional<PortDesk> ports;

  ClusterRoutes(
      HubStore store, LiveSessions sessions, RestSettings settings, Optional<PortDesk> ports) {
    this.ports = ports;
    this.store = store;
    this.sessions = sessions;
    this.settings = settings;
  }

  List<Route> routes() {
    return List.of(
        new Route("GET", LIST, false, this::list),
        new Route("GET", ONE, false, this::get),
        new Route("DELETE", ONE, false, this::delete),
        new Route("POST", ONE + "/kubeconfig", false, this::kubeconfig));
  }

  private Answer list(Call call) throws Problem {
    Page page = Page.of(call.query(Page.PARAMETERS));
    return page.answer(store.clusters(page.after(), page.limit()), ClusterRecord::id, this::write);
  }

  private Answer get(Call call) throws Problem {
    call.query(Set.of());
    ClusterRecord cluster = find(call);
    return Answer.json(200, json -> write(json, cluster));
  }

  private ClusterRecord find(Call call) throws Problem {
    String id = call.path("cluster");
    Optional<ClusterRecord> cluster = store.cluster(id);
    if (cluster.isEmpty()) {
      throw Problem.noCluster(id);
    }
    return cluster.get();
  }

  private Answer delete(Call call) throws Problem {
    call.query(Set.of());
    String id = call.path("cluster");
    if (!store.deleteCluster(id)) {
      throw Problem.noCluster(id);
    }
    log.info("Cluster deleted cluster={}", id);
    sessions.disconnect(id, "the cluster was deleted from the hub");
    ports.ifPresent(desk -> desk.clusterDeleted(id));
    return Answer.empty(204);
  }

  private Answer kubeconfig(Call call) throws Problem, IOException {
    call.query(Set.of());
    Body body = call.body(Set.of("name", "ttl"));
    String name = body.name().orElse("kubeconfig");
    Duration lifetime =
        body.text("ttl").isPresent() ? Lifetime.parse(body.text("ttl").get()) : Lifetime.DEFAULT;
    ClusterRecord cluster = find(call);
    String address = Kubeconfig.address(settings.externalUrl(), call.request());
    IssuedToken token = TokenRoutes.issueClient(store, cluster.id(), name, lifetime);
    String yaml = Kubeconfig.yaml(cluster, address, settings.caPem(), token.text());
    return new Answer(
        201,
        "application/yaml",
        yaml.getBytes(StandardCharsets.UTF_8),
        Map.of("X-Token-Id", token.token().id()));
  }

  private void write(JsonGenerator json, ClusterRecord cluster) throws IOException {
    Optional<SessionInfo> live =
        sessions
            .find(cluster.id())
            .filter(session -> session.state() == SessionInfo.State.CONNECTED);
    json.writeStartObject();
    json.writeStringField("id", cluster.id());
    json.writeStringField("name", cluster.name());
    json.writeBooleanField("connected", live.isPresent());
    writeTime(json, "since", live.map(SessionInfo::since));
    json.writeStringField("agent_id", cluster.agentId());
    HeartbeatSummary heartbeat = HeartbeatSummary.parse(cluster.heartbeat());
    json.writeStringField(
        "agent_version",
        first(
            live.map(SessionInfo::agentVersion).orElse(""),
            heartbeat.agentVersion(),
            cluster.agentVersion()));
    json.writeStringField("k8s_version", first(heartbeat.k8sVersion(), cluster.k8sVersion()));
    json.writeStringField("region", cluster.region());
    json.writeStringField("provider", cluster.provider());
    writeSummary(json, heartbeat);
    writeTime(json, "last_heartbeat", cluster.lastHeartbeat());
    if (cluster.lastHeartbeat().isPresent()) {
      Duration age = Duration.between(cluster.lastHeartbeat().get(), Instant.now());
      json.writeNumberField("last_heartbeat_age_seconds", Math.max(0, age.toMillis()) / 1000.0);
    } else {
      json.writeNullField("last_heartbeat_age_seconds");
    }
    json.writeStringField("created", cluster.created().toString());
    json.writeStringField("last_registered", cluster.lastRegistered().toString());
    json.writeStringField("agent_token_id", cluster.tokenId());
    json.writeStringField("api_path", Kubeconfig.path(cluster.id()));
    writeLive(json, live);
    json.writeEndObject();
  }

  private static void writeLive(JsonGenerator json, Optional<SessionInfo> live) throws IOException {
    if (live.isEmpty()) {
      json.writeNullField("session");
      return;
    }
    SessionInfo session = live.get();
    json.writeObjectFieldStart("session");
    json.writeStringField("remote_address", session.remoteAddress());
    json.writeBooleanField("gateway", session.gateway());
    json.writeNumberField("requests_in_flight", session.streams());
    json.writeNumberField("bytes_in", session.bytesIn());
    json.writeNumberField("bytes_out", session.bytesOut());
    json.writeEndObject();
  }

  /** What a heartbeat said, as fields of the object that is being written. */
  static void writeSummary(JsonGenerator json, HeartbeatSummary heartbeat) throws IOException {
    json.writeStringField("status", heartbeat.status());
    writeNumber(json, "nodes", heartbeat.nodes());
    writeNumber(json, "pods", heartbeat.pods());
    json.writeStringField("cpu", heartbeat.cpu());
    json.writeStringField("memory", heartbeat.memory());
  }

  private static void writeNumber(JsonGenerator json, String name, long value) throws IOException {
    if (value < 0) {
      json.writeNullField(name);
    } else {
      json.writeNumberField(name, value);
    }
  }

  static void writeTime(JsonGenerator json, String name, Optional<Instant> time)
      throws IOException {
    if (time.isPresent()) {
      json.writeStringField(name, time.get().toString());
    } else {
      json.writeNullField(name);
    }
  }

  private static String first(String... texts) {
    for (String text : texts) {
      if (!text.isEmpty()) {
        return text;
      }
    }
    return "";
  }
}
