package io.pipeops.agent.provision;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.feature.FeatureStatus;
import jakarta.servlet.Servlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.propertytypes.ServiceRanking;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletName;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/** {@code GET /api/features}: what the agent consists of, the last plan, refused settings. */
@Component(service = Servlet.class)
@ServiceRanking(100)
@HttpWhiteboardServletName("provision")
@HttpWhiteboardServletPattern("/api/features")
public final class FeaturesServlet extends HttpServlet {
  private static final long serialVersionUID = 1L;
  private static final JsonFactory JSON = new JsonFactory();

  private final transient Provision provision;

  @Activate
  public FeaturesServlet(@Reference Provision provision) {
    this.provision = provision;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    byte[] body =
        json(
                provision.settled(),
                provision.list(),
                provision.lastPlan(),
                provision.settingsProblems())
            .getBytes(StandardCharsets.UTF_8);
    response.setContentType("application/json");
    response.setHeader("Cache-Control", "no-store");
    response.setContentLength(body.length);
    response.getOutputStream().write(body);
  }

  static String json(
      boolean settled, List<FeatureStatus> features, List<String> plan, List<String> problems) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      json.writeBooleanField("settled", settled);
      json.writeArrayFieldStart("features");
      for (FeatureStatus feature : features) {
        write(json, feature);
      }
      json.writeEndArray();
      texts(json, "lastPlan", plan);
      texts(json, "settingsProblems", problems);
      json.writeEndObject();
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return text.toString();
  }

  private static void write(JsonGenerator json, FeatureStatus feature) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", feature.name());
    json.writeStringField("version", feature.version());
    json.writeStringField("state", feature.state().name());
    json.writeStringField("since", feature.since().toString());
    json.writeStringField("reason", feature.reason());
    json.writeArrayFieldStart("bundles");
    for (FeatureStatus.BundleStatus bundle : feature.bundles()) {
      json.writeStartObject();
      json.writeStringField("symbolicName", bundle.symbolicName());
      json.writeStringField("version", bundle.version());
      json.writeStringField("state", bundle.state());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void texts(JsonGenerator json, String name, List<String> values)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (String value : values) {
      json.writeString(value);
    }
    json.writeEndArray();
  }
}
