package io.pipeops.agent.http;

import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /health}: the process is alive; nothing more is asked (protocol 10.1). */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/health")
public final class HealthServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;

  @Activate
  public HealthServlet(@Reference AgentView agent) {
    this.agent = agent;
  }

  @Override
  Answer answer() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", "healthy");
    body.put("timestamp", Instant.now());
    body.put("version", agent.version());
    body.putAll(agent.connection());
    return new Answer(200, body);
  }
}
