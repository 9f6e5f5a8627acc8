package io.pipeops.agent.http;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.feature.Features;
import io.pipeops.agent.api.heartbeat.HeartbeatStatus;
import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** What the pages know of the rest of the agent; each part of it may be away. */
@Component(service = AgentView.class)
public final class AgentView {
  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  volatile Link link;

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  volatile Features features;

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  volatile HeartbeatStatus heartbeats;

  private final String version;
  private final String commit;
  private final String buildDate;
  private final Instant start;

  @Activate
  public AgentView(BundleContext context) {
    this(
        property(context, "agent.version"),
        property(context, "agent.commit"),
        property(context, "agent.build.date"));
  }

  AgentView(String version, String commit, String buildDate) {
    this.version = version;
    this.commit = commit;
    this.buildDate = buildDate;
    this.start = ProcessHandle.current().info().startInstant().orElseGet(Instant::now);
  }

  private static String property(BundleContext context, String name) {
    String value = context.getProperty(name);
    return value == null ? "unknown" : value;
  }

  String version() {
    return version;
  }

  String commit() {
    return commit;
  }

  String buildDate() {
    return buildDate;
  }

  Instant start() {
    return start;
  }

  String uptime() {
    return GoDuration.of(Duration.between(start, Instant.now()));
  }

  LinkStatus link() {
    Link now = link;
    return now == null
        ? new LinkStatus(
            LinkState.DISCONNECTED, Instant.now(), "the link is not there", "", "", "", false)
        : now.status();
  }

  List<FeatureStatus> features() {
    Features now = features;
    return now == null ? List.of() : now.list();
  }

  boolean settled() {
    Features now = features;
    return now != null && now.settled();
  }

  boolean runs(String feature) {
    return features().stream()
        .anyMatch(
            status ->
                status.name().equals(feature)
                    && (status.state() == FeatureState.ACTIVE
                        || status.state() == FeatureState.DEGRADED));
  }

  /** {@code connected}, {@code registered} and {@code connection_state}. */
  Map<String, Object> connection() {
    LinkStatus status = link();
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("connected", status.connected());
    fields.put("registered", status.registered());
    fields.put("connection_state", text(status.state()));
    return fields;
  }

  /** {@code last_heartbeat} and {@code time_since_heartbeat}; empty before the first one. */
  Map<String, Object> lastHeartbeat() {
    HeartbeatStatus now = heartbeats;
    Optional<Instant> last = now == null ? Optional.empty() : now.lastSuccess();
    Map<String, Object> fields = new LinkedHashMap<>();
    last.ifPresent(
        instant -> {
          fields.put("last_heartbeat", instant);
          fields.put(
              "time_since_heartbeat", GoDuration.of(Duration.between(instant, Instant.now())));
        });
    return fields;
  }

  int consecutiveFailures() {
    HeartbeatStatus now = heartbeats;
    return now == null ? 0 : now.consecutiveFailures();
  }

  static String text(LinkState state) {
    return state.name().toLowerCase(Locale.ROOT);
  }
}
