package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A feature is switched by the settings file while the tunnel carries on. */
class HotToggleIT {
  private static final Duration TWO_SECONDS_AND_A_TICK = Duration.ofSeconds(3);

  @TempDir Path dir;

  @Test
  void heartbeatGoesAndComesBack() throws Exception {
    try (Spine spine = Spine.embedded(dir);
        Load load = Load.start(spine, 50)) {
      long pid = spine.agent().process().pid();
      spine.values.put("features.heartbeat.enabled", "false");
      spine.writeSettings();
      Await.until(
          "heartbeat is gone", TWO_SECONDS_AND_A_TICK, () -> state(spine).equals("DISABLED"));
      spine.values.put("features.heartbeat.enabled", "true");
      spine.writeSettings();
      Await.until("heartbeat is back", TWO_SECONDS_AND_A_TICK, () -> state(spine).equals("ACTIVE"));
      load.stop();
      assertEquals("", load.failures());
      assertTrue(load.done() > 20, "requests: " + load.done());
      assertEquals(pid, spine.agent().process().pid());
      assertTrue(spine.agent().process().isAlive());
    }
  }

  @Test
  void aBadFileIsRefusedAndTheLastGoodOneStays() throws Exception {
    try (Spine spine = Spine.embedded(dir)) {
      Files.writeString(
          spine.settings, Files.readString(spine.settings) + "features.hartbeat.enabled: false\n");
      spine.agent().awaitLog("features.heartbeat.enabled", Duration.ofSeconds(5));
      assertEquals("ACTIVE", state(spine));
      assertEquals(200, spine.local("/ready").statusCode());
    }
  }

  private static String state(Spine spine) throws Exception {
    JsonNode features = Spine.JSON.readTree(spine.local("/api/features").body()).path("features");
    for (JsonNode feature : features) {
      if (feature.path("name").asText().equals("heartbeat")) {
        return feature.path("state").asText();
      }
    }
    return "DISABLED";
  }
}
