package io.pipeops.agent.itests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The values.schema.json of a chart: the form of values.yaml, with the settings of the registry, as
 * the build found them, where both meet.
 */
final class ChartSchema {
  /** Maps of Kubernetes' own forms, or of the user's own keys. */
  private static final Set<String> FREE =
      Set.of(
          "podSecurityContext",
          "securityContext",
          "resources",
          "nodeSelector",
          "affinity",
          "strategy",
          "labels",
          "annotations",
          "podLabels",
          "podAnnotations",
          "ingressNamespaceSelector",
          "agent");

  private static final Set<String> PROBES =
      Set.of("startupProbe", "livenessProbe", "readinessProbe");

  private static final Map<String, List<String>> ENUMS =
      Map.of(
          "pullPolicy", List.of("Always", "IfNotPresent", "Never"),
          "rbac.profile", List.of("read-only", "tunnel", "full"),
          "java.profile", List.of("auto", "small", "standard"),
          "service.type", List.of("ClusterIP", "NodePort", "LoadBalancer"));

  private static final Map<String, String> PATTERNS =
      Map.of(
          "controlPlane.url", "^((https?|wss?)://[^/ ]+.*)?$",
          "externalUrl", "^(https?://[^/ ]+.*)?$",
          "database.url", "^(jdbc:postgresql:.+)?$",
          "image.digest", "^(sha256:[0-9a-f]{64})?$",
          "size", "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$");

  private static final ObjectMapper JSON = new ObjectMapper();

  private final JsonNode registry;
  private final Set<String> sections;

  private ChartSchema(JsonNode registry, Set<String> sections) {
    this.registry = registry;
    this.sections = sections;
  }

  static String of(Chart chart) throws IOException {
    JsonNode registry =
        JSON.readTree(Program.IMAGE.resolveSibling("settings.schema.json").toFile());
    Set<String> sections = new java.util.TreeSet<>();
    boolean hub = chart == Chart.HUB;
    registry
        .path("properties")
        .fieldNames()
        .forEachRemaining(
            section -> {
              boolean hubs = Set.of("hub", "http", "logging", "provision").contains(section);
              boolean agents = !Set.of("hub", "sandbox", "features").contains(section);
              if (hub ? hubs : agents) {
                sections.add(section);
              }
            });
    String values = Files.readString(chart.folder().resolve("values.yaml"));
    ObjectNode schema = JSON.createObjectNode();
    schema.put("$schema", "http://json-schema.org/draft-07/schema#");
    schema.put("title", "Values of the chart " + chart.name());
    schema.setAll(new ChartSchema(registry, sections).map(Chart.parse(values).get(0), ""));
    return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(schema) + "\n";
  }

  private ObjectNode map(Map<?, ?> values, String path) {
    ObjectNode schema = JSON.createObjectNode();
    schema.put("type", "object");
    ObjectNode properties = schema.putObject("properties");
    values.forEach(
        (key, value) -> properties.set(key.toString(), any(value, key.toString(), path)));
    schema.put("additionalProperties", false);
    return schema;
  }

  private ObjectNode any(Object value, String key, String parent) {
    String path = parent.isEmpty() ? key : parent + "." + key;
    if (path.equals("settings")) {
      return settings();
    }
    if (path.equals("features")) {
      return closed(registry.path("properties").path("features"));
    }
    ObjectNode schema = JSON.createObjectNode();
    if (value instanceof Map<?, ?> map) {
      if (PROBES.contains(key)) {
        schema.put("type", "object");
        schema.putObject("properties").putObject("enabled").put("type", "boolean");
        return schema;
      }
      if (path.equals("global")) {
        schema = map(map, path);
        schema.remove("additionalProperties");
        return schema;
      }
      return FREE.contains(key) || path.endsWith("serviceMonitor.labels")
          ? schema.put("type", "object")
          : map(map, path);
    }
    if (value instanceof List<?>) {
      return schema.put("type", "array");
    }
    if (value instanceof Boolean) {
      return schema.put("type", "boolean");
    }
    if (value instanceof Integer) {
      return schema.put("type", "integer").put("minimum", key.equals("replicas") ? 1 : 0);
    }
    schema.put("type", "string");
    List<String> options = ENUMS.getOrDefault(path, ENUMS.get(key));
    if (options != null) {
      options.forEach(schema.withArray("enum")::add);
    }
    String pattern = PATTERNS.getOrDefault(path, PATTERNS.get(key));
    if (pattern != null) {
      schema.put("pattern", pattern);
    }
    return schema;
  }

  private ObjectNode settings() {
    ObjectNode schema = JSON.createObjectNode().put("type", "object");
    ObjectNode properties = schema.putObject("properties");
    for (String section : sections) {
      properties.set(section, closed(registry.path("properties").path(section)));
    }
    return schema.put("additionalProperties", false);
  }

  /** A typing error is an error. */
  private static ObjectNode closed(JsonNode given) {
    ObjectNode schema = given.deepCopy();
    schema.put("additionalProperties", false);
    schema
        .path("properties")
        .forEach(
            property -> {
              if (property.path("type").asText().equals("object") && property.has("properties")) {
                ((ObjectNode) property).put("additionalProperties", false);
              }
            });
    return schema;
  }
}
