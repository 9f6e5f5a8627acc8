package io.pipeops.agent.http;

import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.http.CheckRun.Outcome;
import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /api/health/detailed} (protocol 10.5), with the checks of {@code /ready}. */
@Component(
    service = Servlet.class,
    configurationPid = "io.pipeops.agent.http",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@HttpWhiteboardServletPattern("/api/health/detailed")
public final class DetailedHealthServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;
  private final transient Readiness readiness;
  private final boolean truthful;

  @Activate
  public DetailedHealthServlet(
      @Reference AgentView agent, @Reference Readiness readiness, HttpConfig config) {
    this(agent, readiness, !config.ready_compatible());
  }

  DetailedHealthServlet(AgentView agent, Readiness readiness, boolean truthful) {
    this.agent = agent;
    this.readiness = readiness;
    this.truthful = truthful;
  }

  @Override
  Answer answer() {
    List<Outcome> outcomes = readiness.outcomes();
    boolean healthy = outcomes.stream().allMatch(Outcome::ok);
    LinkStatus link = agent.link();
    boolean tunnel = agent.runs("tunnel");

    Map<String, Object> about = new LinkedHashMap<>();
    about.put("version", agent.version());
    about.put("uptime", agent.uptime());
    about.put("start_time", agent.start());
    about.put("agent_id", link.agentId());
    Map<String, Object> ways = new LinkedHashMap<>();
    ways.put("enabled", tunnel);
    ways.put("type", "websocket");
    ways.put("direct_k8s", tunnel);
    Map<String, Object> connectivity = new LinkedHashMap<>();
    connectivity.put("method", link.gateway() ? "gateway" : "controller");
    connectivity.put("status", AgentView.text(link.state()));
    Map<String, Object> runtime = new LinkedHashMap<>();
    runtime.put("memory_mb", JavaRuntime.residentMb());
    runtime.put("goroutines", JavaRuntime.threads());
    runtime.put("gc_cycles", JavaRuntime.collections());
    Map<String, Object> health = new LinkedHashMap<>();
    health.put("healthy", healthy);
    health.put("connected", link.connected());
    health.put("registered", link.registered());
    health.put("state", AgentView.text(link.state()));
    health.putAll(agent.lastHeartbeat());
    health.put("consecutive_failures", agent.consecutiveFailures());
    health.put("truthful_probes_enabled", truthful);

    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", healthy ? "healthy" : "degraded");
    body.put("agent", about);
    body.put("tunnel", ways);
    body.put("features", FeatureFlags.of(agent));
    body.put("connectivity", connectivity);
    body.put("runtime", runtime);
    body.put("timestamp", Instant.now());
    body.put("connection_health", health);
    body.put("checks", ReadyServlet.checks(outcomes));
    return new Answer(200, body);
  }
}
