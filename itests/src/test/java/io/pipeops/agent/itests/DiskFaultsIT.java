package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Full and read-only disks under the folders that the programs write to: the run folder of each,
 * and the hub's state. Settings and features are only read.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DiskFaultsIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final String FULL = "No space left on device";

  @TempDir static Path dir;
  private static Spine spine;
  private static SmallDisk hubState;
  private static SmallDisk agentRun;
  private static FeatureKit kit;

  @BeforeAll
  static void mount() throws Exception {
    SmallDisk.assumePossible();
    hubState = SmallDisk.at(dir.resolve("hub"), 4);
    agentRun = SmallDisk.at(dir.resolve("agent-run"), 8);
    kit = new FeatureKit(dir.resolve("features"));
    spine = Spine.prepared(dir);
  }

  @AfterAll
  static void unmount() throws Exception {
    if (spine != null) {
      spine.close();
    }
    for (SmallDisk disk : new SmallDisk[] {hubState, agentRun}) {
      if (disk != null) {
        disk.close();
      }
    }
  }

  /** Nothing can run there, so the program ends at once, with one line and no stack trace. */
  @Test
  @Order(1)
  void aRunFolderThatCannotBeWrittenIsToldAtTheStart() throws Exception {
    Path tmp = dir.resolve("tmp");
    try (SmallDisk disk = SmallDisk.at(tmp, 2)) {
      disk.fill();
      refused("run", Map.of(), tmp, FULL, "--run-dir", tmp.toString());
      refused("hub", Map.of(), tmp, FULL, "--run-dir", tmp.resolve("new").toString());
      disk.free();
      disk.readOnly();
      Map<String, String> there = Map.of("PIPEOPS_JAVA_OPTIONS", "-Djava.io.tmpdir=" + tmp);
      refused("run", there, tmp, "Read-only file system");
    }
  }

  private void refused(
      String command, Map<String, String> environment, Path folder, String why, String... arguments)
      throws Exception {
    List<String> line = new ArrayList<>();
    line.add(Program.IMAGE.resolve("bin/pipeops-agent").toString());
    line.add(command);
    line.addAll(List.of(arguments));
    Path output = dir.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    assertTrue(process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS), "it goes on");
    String said = Files.readString(output).strip();
    assertEquals(1, process.exitValue(), said);
    assertEquals(1, said.lines().count(), said);
    String sign = arguments.length > 0 ? FaultSigns.row(19, "The run folder") : "No run folder";
    for (String word : List.of(sign, folder.toString(), why, "--run-dir")) {
      assertTrue(said.contains(word), said);
    }
  }

  /** It waits for room at the start, and later refuses what it cannot keep, but nothing else. */
  @Test
  @Order(2)
  void theHubsStateFillsUpBeforeItStartsAndWhileItRuns() throws Exception {
    Path state = dir.resolve("hub");
    spine.startCluster();
    hubState.fill();
    spine.hubSettings.add("provision.health_seconds=2");
    CompletableFuture<Void> started = starting();
    Path log = dir.resolve("hub.log");
    Await.until(
        "the hub waits",
        LIMIT,
        () ->
            Files.readString(log).contains("Feature waits") && hub("/ready").body().contains(FULL));
    String said = Files.readString(log);
    String sign = FaultSigns.row(17, "cannot be written") + ": " + FULL;
    assertTrue(said.contains("state_dir " + state + " " + sign), said);
    assertEquals(503, hub("/ready").statusCode());
    assertEquals(200, hub("/health").statusCode());
    hubState.free();
    started.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
    spine.startAgent("--features-dir", kit.folder().toString());
    spine.awaitReady();
    assertEquals(200, spine.get("/version").statusCode());
    assertEquals(200, hub("/ready").statusCode());

    // The database sometimes makes room for itself.
    List<String> kept = new ArrayList<>(List.of("initial"));
    Await.until(
        "a token is refused",
        LIMIT,
        () -> {
          hubState.fill();
          String name = "token-" + kept.size();
          HttpResponse<String> answer = token(name);
          if (answer.statusCode() == 201) {
            kept.add(name);
          }
          return answer.statusCode() == 503 && answer.body().contains(FULL);
        });
    Await.until(
        "the hub is not ready",
        LIMIT,
        () -> {
          hubState.fill();
          HttpResponse<String> ready = hub("/ready");
          return ready.statusCode() == 503 && ready.body().contains(state + "/hub.mv.db");
        });
    // What it has goes on meanwhile.
    Await.until("the cluster is reached", LIMIT, () -> spine.get("/version").statusCode() == 200);
    Await.until(
        "the cluster is known",
        LIMIT,
        () -> spine.rest("GET", "/api/v1/clusters", "").path("items").size() == 1);

    hubState.free();
    Await.until("ready again", LIMIT, () -> hub("/ready").statusCode() == 200);
    assertEquals(201, token("token-last").statusCode());
    kept.add("token-last");
    assertTrue(tokens().containsAll(kept), () -> kept + " should be known");
    assertEquals(200, spine.get("/version").statusCode());
    said = Files.readString(log);
    assertTrue(said.contains(FaultSigns.row(18, "Database fails, every use tries again")), said);
    assertTrue(said.contains("reason=" + FaultSigns.row(18, FULL)), said);
    assertTrue(said.contains("Database works again"), said);
    assertFalse(said.contains("\tat "), said);
  }

  /** An upgrade for which there is no room fails alone; that which has room again does not. */
  @Test
  @Order(3)
  void theAgentsRunFolderFillsUpWhileItRuns() throws Exception {
    agentRun.fill();
    kit.upgrade("heartbeat", "1.1.0");
    Await.until("it is told", LIMIT, () -> feature().path("reason").asText().contains(FULL));
    String reason = feature().path("reason").asText();
    assertTrue(reason.contains(dir.resolve("agent-run").toString()), reason);
    assertTrue(reason.contains(FaultSigns.row(20, "cannot be written")), reason);
    assertEquals("1.0.0 ACTIVE", state());
    assertEquals(200, spine.local("/ready").statusCode());
    assertEquals(200, spine.get("/version").statusCode());
    agentRun.free();
    kit.upgrade("heartbeat", "1.2.0");
    Await.until("upgraded", LIMIT, () -> state().equals("1.2.0 ACTIVE"));
    assertFalse(spine.agent().log().contains("\tat "), spine.agent().log());
  }

  private static String state() throws Exception {
    JsonNode feature = feature();
    return feature.path("version").asText() + " " + feature.path("state").asText();
  }

  private static JsonNode feature() throws Exception {
    for (JsonNode one : Spine.JSON.readTree(spine.local("/api/features").body()).path("features")) {
      if (one.path("name").asText().equals("heartbeat")) {
        return one;
      }
    }
    throw new AssertionError("no heartbeat");
  }

  private static CompletableFuture<Void> starting() {
    CompletableFuture<Void> started = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try {
                spine.startHub();
                started.complete(null);
              } catch (IOException | RuntimeException | AssertionError e) {
                started.completeExceptionally(e);
              }
            });
    return started;
  }

  /** The hub's own HTTP port. */
  private HttpResponse<String> hub(String path) throws Exception {
    String address = Files.readString(dir.resolve("hub-run/http.address")).strip();
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create(address + path)).timeout(LIMIT).build(),
          BodyHandlers.ofString());
    }
  }

  private static HttpResponse<String> token(String name) throws Exception {
    return spine
        .client()
        .send(
            HttpRequest.newBuilder(URI.create(spine.hubAddress() + "/api/v1/agent-tokens"))
                .timeout(LIMIT)
                .header("Authorization", "Bearer " + spine.admin())
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"name\":\"" + name + "\"}"))
                .build(),
            BodyHandlers.ofString());
  }

  private static Set<String> tokens() throws Exception {
    Set<String> names = new HashSet<>();
    spine
        .rest("GET", "/api/v1/agent-tokens", "")
        .path("items")
        .forEach(token -> names.add(token.path("name").asText()));
    return names;
  }
}
