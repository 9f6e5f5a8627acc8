package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code pipeops-agent sandbox}: agent, hub and embedded cluster in one process find each other.
 */
class OneProcessIT {
  @TempDir Path dir;

  @Test
  void itBecomesReady() throws Exception {
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    try (Program sandbox =
            Program.start(
                dir,
                "sandbox",
                "sandbox",
                Map.of(),
                "--set",
                "http.port=0",
                "--set",
                "hub.port=" + port,
                "--set",
                "link.url=https://127.0.0.1:" + port);
        HttpClient client = HttpClient.newHttpClient()) {
      HttpRequest ready =
          HttpRequest.newBuilder(URI.create(sandbox.address("http.address") + "/ready")).build();
      Await.until(
          "ready",
          Duration.ofSeconds(90),
          () -> client.send(ready, BodyHandlers.ofString()).statusCode() == 200);
      String features =
          client
              .send(
                  HttpRequest.newBuilder(
                          URI.create(sandbox.address("http.address") + "/api/features"))
                      .build(),
                  BodyHandlers.ofString())
              .body();
      for (String name : new String[] {"hub", "sandbox", "tunnel", "heartbeat"}) {
        assertTrue(features.contains("\"" + name + "\""), features);
      }
    }
  }
}
