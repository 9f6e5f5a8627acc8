package io.pipeops.agent.http;

import io.pipeops.agent.http.CheckRun.Outcome;
import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/**
 * {@code GET /ready} (protocol 10.2): 200 if every check is content, else 503 and the reasons. With
 * {@code ready_compatible} it answers 200 always, as the existing agent does by default.
 */
@Component(
    service = Servlet.class,
    configurationPid = "io.pipeops.agent.http",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@HttpWhiteboardServletPattern("/ready")
public final class ReadyServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;
  private final transient Readiness readiness;
  private final boolean compatible;

  @Activate
  public ReadyServlet(
      @Reference AgentView agent, @Reference Readiness readiness, HttpConfig config) {
    this(agent, readiness, config.ready_compatible());
  }

  ReadyServlet(AgentView agent, Readiness readiness, boolean compatible) {
    this.agent = agent;
    this.readiness = readiness;
    this.compatible = compatible;
  }

  @Override
  Answer answer() {
    return compatible ? compatible() : truthful();
  }

  private Answer compatible() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", "ready");
    body.put("timestamp", Instant.now());
    body.put("mode", "backward_compatible");
    body.putAll(agent.connection());
    body.put("note", "always ready by setting; see /api/health/detailed for the truth");
    return new Answer(200, body);
  }

  private Answer truthful() {
    List<Outcome> outcomes = readiness.outcomes();
    String reasons =
        outcomes.stream()
            .filter(outcome -> !outcome.ok())
            .map(outcome -> outcome.name() + ": " + outcome.reason())
            .collect(Collectors.joining("; "));
    boolean healthy = reasons.isEmpty();
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", healthy ? "ready" : "not_ready");
    body.put("healthy", healthy);
    body.putAll(agent.connection());
    body.putAll(agent.lastHeartbeat());
    body.put("consecutive_failures", agent.consecutiveFailures());
    if (!healthy) {
      body.put(
          "reason",
          agent.link().connected() ? reasons : "agent not connected to control plane; " + reasons);
    }
    body.put("checks", checks(outcomes));
    body.put("timestamp", Instant.now());
    return new Answer(healthy ? 200 : 503, body);
  }

  static List<Map<String, Object>> checks(List<Outcome> outcomes) {
    return outcomes.stream()
        .map(
            outcome -> {
              Map<String, Object> fields = new LinkedHashMap<>();
              fields.put("name", outcome.name());
              fields.put("ok", outcome.ok());
              fields.put("reason", outcome.reason());
              return fields;
            })
        .toList();
  }
}
