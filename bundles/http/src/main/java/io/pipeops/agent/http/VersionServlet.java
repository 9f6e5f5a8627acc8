package io.pipeops.agent.http;

import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /version}: what this build is (protocol 10.3). */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/version")
public final class VersionServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;

  @Activate
  public VersionServlet(@Reference AgentView agent) {
    this.agent = agent;
  }

  @Override
  Answer answer() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("version", agent.version());
    body.put("git_commit", agent.commit());
    body.put("build_date", agent.buildDate());
    body.put("go_version", java());
    body.put(
        "full_version",
        "%s (commit %s, built %s)".formatted(agent.version(), agent.commit(), agent.buildDate()));
    body.put("timestamp", Instant.now());
    return new Answer(200, body);
  }

  static String java() {
    return "java " + Runtime.version();
  }
}
