package io.pipeops.agent.itests;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.TemplateCommand;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** One of our charts, and what Helm makes of it without a cluster. */
final class Chart {
  static final Chart AGENT =
      new Chart(
          "pipeops-agent",
          "agent",
          Map.of(
              "controlPlane.url", "https://hub.example.com",
              "controlPlane.clusterName", "edge",
              "controlPlane.existingSecret.name", "pipeops-agent-token"));
  static final Chart HUB =
      new Chart(
          "pipeops-hub",
          "hub",
          Map.of(
              "tls.existingSecret", "pipeops-hub-tls",
              "tokens.existingAdminSecret", "pipeops-hub-admin-token",
              "tokens.existingAgentSecret", "pipeops-hub-agent-token"));

  private final String name;
  private final String release;
  private final Map<String, Object> required;

  private Chart(String name, String release, Map<String, Object> required) {
    this.name = name;
    this.release = release;
    this.required = required;
  }

  String name() {
    return name;
  }

  Path folder() {
    return Path.of("..", "helm", name).toAbsolutePath().normalize();
  }

  Path preset(String preset) {
    return folder().resolve("presets").resolve(preset + ".yaml");
  }

  Helm helm() {
    return new Helm(folder());
  }

  /** The text of all objects, with what the chart asks for and these values. */
  String render(Map<String, Object> values, Path... files) {
    Map<String, Object> all = new LinkedHashMap<>(required);
    all.putAll(values);
    return renderBare(release, all, files);
  }

  /** With these values only. Fails with Helm's words. */
  String renderBare(String releaseName, Map<String, Object> values, Path... files) {
    TemplateCommand command =
        helm()
            .template()
            .withName(releaseName)
            .withNamespace("pipeops-system")
            .withKubeVersion("1.34.0")
            .set("lookup", false);
    for (Path file : files) {
      command.withValuesFile(file);
    }
    values.forEach((key, value) -> command.set(key, plain(value)));
    return command.call();
  }

  /** As after {@code --set}: a comma or a brace of a text is not one of its syntax. */
  private static Object plain(Object value) {
    return value instanceof String text ? text.replaceAll("([,{}\\\\\\[\\]])", "\\\\$1") : value;
  }

  List<Map<String, Object>> objects(Map<String, Object> values, Path... files) {
    return parse(render(values, files));
  }

  @SuppressWarnings("unchecked")
  static List<Map<String, Object>> parse(String yaml) {
    List<Map<String, Object>> objects = new ArrayList<>();
    for (Object document :
        new Load(LoadSettings.builder().setCodePointLimit(16 << 20).build())
            .loadAllFromString(yaml)) {
      if (document instanceof Map<?, ?> map && !map.isEmpty()) {
        objects.add((Map<String, Object>) map);
      }
    }
    return objects;
  }

  /** The one object of a kind whose name ends like this. */
  static Map<String, Object> one(List<Map<String, Object>> objects, String kind, String end) {
    List<Map<String, Object>> found = all(objects, kind, end);
    if (found.size() != 1) {
      throw new AssertionError(found.size() + " objects are a " + kind + " …" + end);
    }
    return found.get(0);
  }

  static List<Map<String, Object>> all(List<Map<String, Object>> objects, String kind, String end) {
    return objects.stream()
        .filter(o -> kind.equals(o.get("kind")))
        .filter(o -> String.valueOf(at(o, "metadata", "name")).endsWith(end))
        .toList();
  }

  /** A value by its way through maps and lists; null where the way ends. */
  static Object at(Object from, Object... way) {
    Object here = from;
    for (Object step : way) {
      here =
          here instanceof Map<?, ?> map
              ? map.get(step)
              : here instanceof List<?> list && step instanceof Integer i && i < list.size()
                  ? list.get(i)
                  : null;
    }
    return here;
  }
}
