package io.pipeops.hub.rest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.store.StoreSettings;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The description and what is served are the same. */
class OpenApiTest {
  private static final Set<String> METHODS = Set.of("get", "post", "put", "patch", "delete");

  @TempDir static Path home;
  private static RestServer hub;
  private static JsonNode description;

  @BeforeAll
  static void start() throws Exception {
    hub = new RestServer(StoreSettings.embedded(home), "");
    description = RestServer.json(hub.send(hub.request("/openapi.json")));
  }

  @AfterAll
  static void stop() throws Exception {
    hub.close();
  }

  @Test
  void namesEveryRouteAndNoOther() {
    Set<String> served = new TreeSet<>();
    hub.api.routes().forEach(route -> served.add(route.method() + " " + route.template()));
    Set<String> described = new TreeSet<>();
    description
        .get("paths")
        .properties()
        .forEach(
            path ->
                path.getValue()
                    .properties()
                    .forEach(
                        operation -> {
                          if (METHODS.contains(operation.getKey())) {
                            described.add(
                                operation.getKey().toUpperCase(java.util.Locale.ROOT)
                                    + " "
                                    + path.getKey());
                          }
                        }));
    assertEquals(served, described);
    assertEquals("3.1.0", description.get("openapi").asText());
  }

  @Test
  void tellsTheTruthAboutTokens() {
    for (Route route : hub.api.routes()) {
      JsonNode operation = operation(route);
      assertEquals(
          route.open(),
          operation.has("security") && operation.get("security").isEmpty(),
          route.template());
      assertFalse(operation.get("summary").asText().isEmpty());
      assertEquals(!route.open(), operation.get("responses").has("401"), route.template());
    }
  }

  @Test
  void everyReferenceLeadsSomewhere() {
    for (JsonNode reference : description.findValues("$ref")) {
      String pointer = reference.asText().substring(1);
      assertFalse(description.at(pointer).isMissingNode(), pointer);
    }
    Set<String> ids = new TreeSet<>();
    description
        .findValues("operationId")
        .forEach(id -> assertTrue(ids.add(id.asText()), id.asText()));
    assertEquals(hub.api.routes().size(), ids.size());
  }

  @Test
  void everyPathParameterIsDescribed() {
    for (Route route : hub.api.routes()) {
      JsonNode path = description.get("paths").get(route.template());
      Set<String> wanted = new TreeSet<>();
      for (String segment : route.template().split("/")) {
        if (segment.startsWith("{")) {
          wanted.add(segment.substring(1, segment.length() - 1));
        }
      }
      Set<String> described = new TreeSet<>();
      path.path("parameters")
          .forEach(
              parameter ->
                  described.add(
                      description
                          .at(parameter.get("$ref").asText().substring(1))
                          .get("name")
                          .asText()));
      assertEquals(wanted, described, route.template());
    }
  }

  private static JsonNode operation(Route route) {
    return description
        .get("paths")
        .get(route.template())
        .get(route.method().toLowerCase(java.util.Locale.ROOT));
  }
}
