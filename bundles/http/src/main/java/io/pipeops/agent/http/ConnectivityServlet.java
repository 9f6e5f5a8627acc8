package io.pipeops.agent.http;

import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.http.CheckRun.Outcome;
import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /api/status/connectivity} (protocol 10.5): what was found out, not constants. */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/api/status/connectivity")
public final class ConnectivityServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;
  private final transient Readiness readiness;

  @Activate
  public ConnectivityServlet(@Reference AgentView agent, @Reference Readiness readiness) {
    this.agent = agent;
    this.readiness = readiness;
  }

  @Override
  Answer answer() {
    Outcome cluster =
        readiness
            .outcome("kubernetes")
            .orElseGet(() -> new Outcome("kubernetes", false, "nobody checks the API server"));
    LinkStatus link = agent.link();
    Map<String, Object> kubernetes = new LinkedHashMap<>();
    kubernetes.put("status", cluster.ok() ? "healthy" : "unhealthy");
    kubernetes.put("method", "https");
    kubernetes.put("note", cluster.reason());
    Map<String, Object> controlPlane = new LinkedHashMap<>();
    controlPlane.put("status", AgentView.text(link.state()));
    controlPlane.put("method", link.gateway() ? "websocket_gateway" : "websocket");
    controlPlane.put("note", link.connected() ? link.peer() : link.reason());
    Map<String, Object> tests = new LinkedHashMap<>();
    tests.put("kubernetes_api", kubernetes);
    tests.put("control_plane", controlPlane);
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("overall_status", cluster.ok() && link.connected() ? "healthy" : "degraded");
    body.put("tests", tests);
    body.put("timestamp", Instant.now());
    return new Answer(200, body);
  }
}
