package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The main job on the embedded cluster: register, proxy, heartbeat, and tell the truth about it.
 */
class SpineIT {
  @TempDir static Path dir;
  static Spine spine;

  @BeforeAll
  static void start() throws Exception {
    spine = Spine.embedded(dir);
  }

  @AfterAll
  static void stop() {
    spine.close();
  }

  @Test
  void localEndpointsTellTheTruth() throws Exception {
    JsonNode health = Spine.JSON.readTree(spine.local("/health").body());
    assertEquals("healthy", health.path("status").asText());
    assertTrue(health.path("connected").asBoolean());
    assertTrue(health.path("registered").asBoolean());
    assertEquals("connected", health.path("connection_state").asText());
    assertEquals(
        System.getProperty("agent.version"),
        Spine.JSON.readTree(spine.local("/version").body()).path("version").asText());
    String metrics = spine.local("/metrics").body();
    assertTrue(metrics.contains("pipeops_agent_connection_state 2"), metrics);
    assertEquals(404, spine.local("/nothing").statusCode());
  }

  @Test
  void requestsReachTheClusterAndItsErrorsComeBackWordForWord() throws Exception {
    JsonNode pods = Spine.JSON.readTree(spine.get("/api/v1/namespaces/demo/pods").body());
    assertEquals("PodList", pods.path("kind").asText());
    HttpResponse<String> missing = spine.get("/api/v1/namespaces/demo/pods/none");
    assertEquals(404, missing.statusCode());
    assertEquals("NotFound", Spine.JSON.readTree(missing.body()).path("reason").asText());
  }

  @Test
  void watchIsDeliveredAsItHappens() throws Exception {
    String version =
        Spine.JSON
            .readTree(spine.get("/api/v1/namespaces/demo/configmaps").body())
            .path("metadata")
            .path("resourceVersion")
            .asText();
    var response =
        spine
            .client()
            .send(
                spine
                    .api("/api/v1/namespaces/demo/configmaps?watch=true&resourceVersion=" + version)
                    .build(),
                BodyHandlers.ofInputStream());
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
      var created =
          spine
              .client()
              .send(
                  spine
                      .api("/api/v1/namespaces/demo/configmaps")
                      .header("Content-Type", "application/json")
                      .POST(
                          BodyPublishers.ofString(
                              "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"seen\"}}"))
                      .build(),
                  BodyHandlers.ofString());
      assertEquals(201, created.statusCode(), created.body());
      JsonNode event = Spine.JSON.readTree(lines.readLine());
      assertEquals("ADDED", event.path("type").asText());
      assertEquals("seen", event.path("object").path("metadata").path("name").asText());
    }
  }

  @Test
  void heartbeatsCarryRealFigures() throws Exception {
    JsonNode cluster =
        Await.value(
            "a heartbeat with nodes",
            Duration.ofSeconds(60),
            () -> {
              JsonNode c = spine.rest("GET", "/api/v1/clusters/" + spine.clusterId(), "");
              return c.toString().matches("(?s).*\"nodes\"\\s*:\\s*[1-9].*") ? c : null;
            });
    assertTrue(cluster.path("connected").asBoolean(), cluster.toString());
  }

  @Test
  void tokensOfOthersAreRefused() throws Exception {
    var wrong =
        spine
            .client()
            .send(
                spine.api("/api/v1/namespaces").setHeader("Authorization", "Bearer nobody").build(),
                BodyHandlers.ofString());
    assertEquals(401, wrong.statusCode());
    assertEquals("Status", Spine.JSON.readTree(wrong.body()).path("kind").asText());
    assertFalse(wrong.body().contains("nobody"));
  }

  @Test
  void featuresAreListed() throws Exception {
    Process process =
        new ProcessBuilder(
                Program.IMAGE.resolve("bin/pipeops-agent").toString(),
                "features",
                "--run-dir",
                spine.agent().runDir().toString())
            .redirectErrorStream(true)
            .start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), out);
    assertTrue(out.contains("tunnel"), out);
    assertTrue(out.contains("ACTIVE"), out);
  }

  @Test
  void noSecretIsInAnyLog() throws Exception {
    String token = java.nio.file.Files.readString(dir.resolve("hub/agent.token")).strip();
    assertFalse(spine.agent().log().contains(token));
    assertFalse(spine.hub().log().contains(token));
    assertFalse(spine.hub().log().contains(spine.admin()));
  }
}
