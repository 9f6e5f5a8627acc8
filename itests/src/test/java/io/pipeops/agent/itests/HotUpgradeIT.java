package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** New versions of features dropped into the running agent, under load. */
@Order(2) // Among the longest.
class HotUpgradeIT {
  private static final Duration LIMIT = Duration.ofSeconds(40);

  @TempDir Path dir;
  private Spine spine;
  private FeatureKit kit;

  @BeforeEach
  void start() throws Exception {
    kit = new FeatureKit(dir.resolve("features"));
    spine = Spine.prepared(dir);
    spine.startCluster();
    spine.startHub();
    spine.values.put("provision.health_seconds", "5");
    spine.values.put("provision.start_seconds", "5");
    spine.startAgent("--features-dir", kit.folder().toString());
    spine.awaitReady();
  }

  @AfterEach
  void stop() {
    spine.close();
  }

  @Test
  void forwardIsReplacedSideBySideAndNobodyNotices() throws Exception {
    replaced("forward");
  }

  @Test
  void tunnelIsReplacedSideBySideAndNobodyNotices() throws Exception {
    // Without this nothing of the API goes by messages.
    spine.values.put("forward.api", "false");
    spine.writeSettings();
    Await.until(
        "the setting is in force",
        LIMIT,
        () -> spine.get("/version").statusCode() == 200 && tunnelRequests() > 0);
    replaced("tunnel");
  }

  private double tunnelRequests() throws Exception {
    for (String line : spine.local("/metrics").body().lines().toList()) {
      if (line.startsWith("pipeops_agent_tunnel_requests_total{target=\"api\"}")) {
        return Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
      }
    }
    return 0;
  }

  private void replaced(String feature) throws Exception {
    try (Load load = Load.start(spine, 50);
        Follow log = Follow.start(spine)) {
      log.awaitLines(5);
      kit.upgrade(feature, "1.1.0");
      Await.until(
          "the new version is active", LIMIT, () -> states(feature).contains("1.1.0 ACTIVE"));
      Await.until(
          "the old version drains", LIMIT, () -> states(feature).contains("1.0.0 DRAINING"));
      int before = log.lines();
      log.awaitLines(before + 5);
      load.stop();
      assertEquals("", load.failures());
      assertTrue(load.done() > 50, "requests: " + load.done());
      log.close();
      assertEquals("", log.gaps());
      Await.until(
          "the old version left", LIMIT, () -> states(feature).equals(List.of("1.1.0 ACTIVE")));
    }
    assertTrue(spine.agent().log().contains(feature), "the plan is logged");
  }

  @Test
  void heartbeatIsUpgraded() throws Exception {
    try (Load load = Load.start(spine, 50)) {
      kit.upgrade("heartbeat", "1.1.0");
      Await.until("upgraded", LIMIT, () -> states("heartbeat").equals(List.of("1.1.0 ACTIVE")));
      load.stop();
      assertEquals("", load.failures());
    }
  }

  @Test
  void aVersionThatHangsDiesOrIsUnhealthyIsRolledBack() throws Exception {
    try (Load load = Load.start(spine, 50)) {
      rolledBack("1.1.0", HangingActivator.class);
      rolledBack("1.2.0", DyingActivator.class);
      rolledBack("1.3.0", UnhealthyActivator.class);
      load.stop();
      assertEquals("", load.failures());
    }
    assertTrue(spine.agent().log().contains("seeded fault"), "the log says why");
  }

  @Test
  void aWrongDigestIsRefusedBeforeAnythingIsTouched() throws Exception {
    kit.upgradeWithWrongDigest("tunnel", "1.1.0");
    Await.until("refused", LIMIT, () -> reason("tunnel").contains("digest"));
    assertEquals(List.of("1.0.0 ACTIVE"), states("tunnel"));
    assertEquals(200, spine.get("/version").statusCode());
  }

  private void rolledBack(String version, Class<?> activator) throws Exception {
    for (String feature : List.of("tunnel", "forward", "heartbeat")) {
      kit.upgradeWith(feature, version, activator);
      Await.until(
          feature + " " + version + " is rolled back",
          LIMIT,
          () ->
              reason(feature).contains(version) && states(feature).equals(List.of("1.0.0 ACTIVE")));
    }
  }

  private String reason(String name) throws Exception {
    for (JsonNode feature : features()) {
      if (feature.path("name").asText().equals(name)) {
        return feature.path("reason").asText();
      }
    }
    return "";
  }

  private List<String> states(String name) throws Exception {
    List<String> states = new ArrayList<>();
    for (JsonNode feature : features()) {
      if (feature.path("name").asText().equals(name)) {
        states.add(feature.path("version").asText() + " " + feature.path("state").asText());
      }
    }
    return states;
  }

  private JsonNode features() throws Exception {
    return Spine.JSON.readTree(spine.local("/api/features").body()).path("features");
  }
}
