package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The hub is not there, goes away, or has another agent of the same identity. */
@Order(3) // Among the longest.
class LinkFaultsIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @TempDir Path dir;

  @Test
  void theAgentWaitsForItsHubAndOutlivesIt() throws Exception {
    String port = freePort();
    try (Spine spine = Spine.prepared(dir)) {
      spine.startCluster();
      // The hub makes its tokens and CA at its first start.
      spine.startHub(port);
      spine.hub().stop();
      spine.startAgent();
      Await.until("the probes are up", LIMIT, () -> spine.local("/ready").statusCode() == 503);
      JsonNode ready = Spine.JSON.readTree(spine.local("/ready").body());
      assertFalse(ready.path("connected").asBoolean());
      assertTrue(ready.path("checks").toString().contains("link"), ready.toString());
      assertEquals(200, spine.local("/health").statusCode());

      spine.startHub(port);
      spine.awaitReady();
      String cluster = spine.clusterId();
      long pid = spine.agent().process().pid();

      spine.hub().process().destroyForcibly().waitFor();
      Await.until("not ready", LIMIT, () -> spine.local("/ready").statusCode() == 503);
      spine.startHub(port);
      spine.awaitReady();
      assertEquals(cluster, spine.clusterId(), "the same cluster as before");
      assertEquals(pid, spine.agent().process().pid());
      assertEquals(200, spine.get("/version").statusCode());
    }
  }

  @Test
  void aSecondAgentWithTheSameIdentityWaits() throws Exception {
    try (Spine spine = Spine.embedded(dir)) {
      String agentId = agentId(spine);
      spine.values.put("link.agent_id", agentId);
      spine.writeSettings();
      try (Program second =
          Program.start(
              java.nio.file.Files.createDirectory(dir.resolve("second")),
              "agent",
              "run",
              Map.of(),
              "--config",
              spine.settings.toString())) {
        String address = second.address("http.address");
        second.awaitLog("already connected", LIMIT);
        Await.until("it says so", LIMIT, () -> status(spine, address + "/ready") == 503);
        assertEquals(200, spine.get("/version").statusCode());
        assertEquals(1, spine.rest("GET", "/api/v1/clusters", "").path("items").size());

        spine.agent().stop();
        Await.until("the second took over", LIMIT, () -> status(spine, address + "/ready") == 200);
        assertEquals(200, spine.get("/version").statusCode());
        assertEquals(1, spine.rest("GET", "/api/v1/clusters", "").path("items").size());
      }
    }
  }

  @Test
  void aWrongTokenIsToldAndTriedAgainSlowly() throws Exception {
    try (Spine spine = Spine.prepared(dir)) {
      spine.startCluster();
      spine.startHub();
      Path wrong = java.nio.file.Files.writeString(dir.resolve("wrong.token"), "pat_not-a-token\n");
      spine.values.put("link.token_file", wrong.toString());
      spine.startAgent();
      spine
          .agent()
          .awaitLog(FaultSigns.row(3, "the control plane does not accept the token"), LIMIT);
      assertTrue(spine.agent().process().isAlive());
      assertEquals(503, spine.local("/ready").statusCode());
      assertFalse(spine.agent().log().contains("not-a-token"));
      // The token file is read again at every attempt.
      java.nio.file.Files.copy(
          dir.resolve("hub/agent.token"), wrong, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
      spine.awaitReady();
    }
  }

  @Test
  void aTransferIsDrainedAtTheEnd() throws Exception {
    try (Spine spine = Spine.embedded(dir);
        Follow log = Follow.start(spine)) {
      log.awaitLines(3);
      long begin = System.nanoTime();
      spine.agent().stop();
      long seconds = Duration.ofNanos(System.nanoTime() - begin).toSeconds();
      assertTrue(seconds < 30, "stopped within the limit: " + seconds + " s");
      Await.until(
          "the hub noticed",
          LIMIT,
          () ->
              !spine
                  .rest("GET", "/api/v1/clusters", "")
                  .path("items")
                  .get(0)
                  .path("connected")
                  .asBoolean());
      assertEquals(503, spine.get("/version").statusCode());
    }
  }

  private static int status(Spine spine, String url) throws Exception {
    return spine
        .client()
        .send(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString())
        .statusCode();
  }

  private static String agentId(Spine spine) throws Exception {
    return spine.rest("GET", "/api/v1/clusters", "").path("items").get(0).path("agent_id").asText();
  }

  private static String freePort() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      return Integer.toString(socket.getLocalPort());
    }
  }
}
