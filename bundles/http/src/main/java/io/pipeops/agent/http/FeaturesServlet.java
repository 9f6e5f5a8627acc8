package io.pipeops.agent.http;

import io.pipeops.agent.api.feature.FeatureStatus;
import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /api/features}: all features, their bundles, and why one does not run. */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/api/features")
public final class FeaturesServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;

  @Activate
  public FeaturesServlet(@Reference AgentView agent) {
    this.agent = agent;
  }

  @Override
  Answer answer() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("settled", agent.settled());
    body.put("features", agent.features().stream().map(FeaturesServlet::feature).toList());
    body.put("timestamp", Instant.now());
    return new Answer(200, body);
  }

  private static Map<String, Object> feature(FeatureStatus status) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("name", status.name());
    fields.put("version", status.version());
    fields.put("state", status.state().name());
    fields.put("since", status.since());
    fields.put("reason", status.reason());
    List<Map<String, String>> bundles =
        status.bundles().stream()
            .map(
                bundle -> {
                  Map<String, String> one = new LinkedHashMap<>();
                  one.put("symbolicName", bundle.symbolicName());
                  one.put("version", bundle.version());
                  one.put("state", bundle.state());
                  return one;
                })
            .toList();
    fields.put("bundles", bundles);
    return fields;
  }
}
