package io.pipeops.agent.http;

import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /api/status/features} (protocol 10.5). */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/api/status/features")
public final class FeatureFlagsServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;

  @Activate
  public FeatureFlagsServlet(@Reference AgentView agent) {
    this.agent = agent;
  }

  @Override
  Answer answer() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("features", FeatureFlags.of(agent));
    body.put("timestamp", Instant.now());
    return new Answer(200, body);
  }
}
