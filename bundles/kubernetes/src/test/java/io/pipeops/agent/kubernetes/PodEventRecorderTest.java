package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PodEventRecorderTest {
  @TempDir Path folder;

  private FakeApiServer server;
  private Cluster cluster;

  @BeforeEach
  void open() throws Exception {
    server = new FakeApiServer();
    cluster = new Cluster(folder, server.base(), Map.of());
  }

  @AfterEach
  void close() {
    cluster.close();
    server.close();
  }

  private Map<String, Object> posted(int which) throws Exception {
    Await.until("posted", () -> server.asked.size() > which);
    return Json.read(server.asked.get(which).body().getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aWarningIsAboutThePodAndIsNotRepeated() throws Exception {
    PodEventRecorder events =
        new PodEventRecorder(cluster.access, Map.of("POD_NAME", "agent-1", "POD_UID", "u-1"));
    events.warn("SettingsRefused", "http.port: must be a number");
    Map<String, Object> event = posted(0);
    assertEquals("/api/v1/namespaces/pipeops-system/events", server.asked.getFirst().path());
    assertEquals("Warning", event.get("type"));
    assertEquals("SettingsRefused", event.get("reason"));
    assertEquals("http.port: must be a number", event.get("message"));
    Map<String, Object> about = Json.child(event, "involvedObject");
    assertEquals("agent-1", about.get("name"));
    assertEquals("u-1", about.get("uid"));
    assertEquals("Pod", about.get("kind"));
    assertTrue(Json.text(Json.child(event, "metadata"), "name").startsWith("agent-1."));
    events.warn("SettingsRefused", "http.port: must be a number");
    events.warn("SettingsRefused", "x".repeat(5000));
    assertEquals(1024, Json.text(posted(1), "message").length());
    assertEquals(2, server.asked.size());
  }

  @Test
  void withoutAPodOrPermissionNothingHappens() throws Exception {
    new PodEventRecorder(cluster.access, Map.of()).warn("SettingsRefused", "why");
    assertEquals(0, server.asked.size());
    server.forbidden = "/events";
    new PodEventRecorder(cluster.access, Map.of("POD_NAME", "a")).warn("SettingsRefused", "why");
    posted(0);
  }
}
