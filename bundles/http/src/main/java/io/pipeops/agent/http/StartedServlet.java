package io.pipeops.agent.http;

import io.pipeops.agent.http.CheckRun.Outcome;
import jakarta.servlet.Servlet;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/**
 * {@code GET /started}, for the startup probe: 503 until the agent has been ready once or a minute
 * has passed, from then on 200. The kubelet asks for readiness at once when this turns to 200, and
 * only then begins to ask in the readiness probe's own, longer period. It is no judgement: an agent
 * that finds nobody to connect to has started as well, and must not be restarted for it.
 */
@Component(
    service = Servlet.class,
    configurationPid = "io.pipeops.agent.http",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@HttpWhiteboardServletPattern("/started")
public final class StartedServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final transient AgentView agent;
  private final transient Readiness readiness;
  private final Duration limit;
  private final long begin = System.nanoTime();
  private volatile boolean started;

  @Activate
  public StartedServlet(
      @Reference AgentView agent, @Reference Readiness readiness, HttpConfig config) {
    this(agent, readiness, config.ready_compatible() ? Duration.ZERO : LIMIT);
  }

  StartedServlet(AgentView agent, Readiness readiness, Duration limit) {
    this.agent = agent;
    this.readiness = readiness;
    this.limit = limit;
  }

  @Override
  Answer answer() {
    if (!started) {
      started = System.nanoTime() - begin >= limit.toNanos() || ready();
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", started ? "started" : "starting");
    body.put("timestamp", Instant.now());
    return new Answer(started ? 200 : 503, body);
  }

  /** Asks no check before the link is there: all of them are dear on a tenth of a core. */
  private boolean ready() {
    return !agent.linkIsDown() && readiness.outcomes().stream().allMatch(Outcome::ok);
  }
}
