package io.pipeops.hub.rest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.agents.Registration;
import io.pipeops.hub.store.StoreSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is sent, the answer is a refusal and nothing breaks. */
class RestFuzzTest {
  private static final long SEED = 20260101;

  @TempDir static Path home;
  private static RestServer hub;
  private static String cluster;

  @BeforeAll
  static void start() throws Exception {
    hub = new RestServer(StoreSettings.embedded(home), "");
    var agent =
        hub.store
            .authenticateAgent(Files.readString(home.resolve("agent.token")).strip())
            .orElseThrow();
    cluster =
        hub.store
            .register(agent, new Registration("n", "a", "", "", "", "", "", "{}", "", ""))
            .id();
  }

  @AfterAll
  static void stop() throws Exception {
    hub.close();
  }

  @Test
  void mangledBodiesAreNeverAccepted() throws Exception {
    Random random = new Random(SEED);
    byte[] good = "{\"name\":\"ci\",\"ttl\":\"12h\"}".getBytes(StandardCharsets.UTF_8);
    int parsed = 0;
    for (int i = 0; i < 20_000; i++) {
      byte[] body = good.clone();
      for (int n = random.nextInt(1, 4); n > 0; n--) {
        body[random.nextInt(body.length)] = (byte) random.nextInt(256);
      }
      try {
        Body fields = Body.parse(body, Set.of("name", "ttl"));
        fields.name();
        if (fields.text("ttl").isPresent()) {
          Lifetime.parse(fields.text("ttl").get());
        }
        parsed++;
      } catch (Problem refused) {
        assertEquals(400, refused.status());
      }
    }
    assertTrue(parsed < 10_000);
  }

  @Test
  void strangePathsAreRefused() throws Exception {
    String base = "/api/v1/clusters/" + cluster;
    for (String path :
        List.of(
            base + "/",
            base + "//tokens",
            "//api/v1/clusters",
            "/api//v1/clusters",
            "/api/v1/clusters;x=1",
            base + ";x",
            base + "/tokens/../kubeconfig",
            base + "/%2e%2e/" + cluster,
            "/api/v1/clusters%2F" + cluster,
            "/api/v1/%63lusters",
            base.toUpperCase(java.util.Locale.ROOT),
            base + "%00",
            base + "%0d%0aX-Evil:1",
            "/api/v1/clusters/agent/ws",
            "/api/v1/",
            "/api/v1/clusters/" + "a".repeat(5000))) {
      int status =
          RawHttp.status(
              hub.port(),
              "GET "
                  + path
                  + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                  + hub.admin
                  + "\r\n");
      assertTrue(status >= 400 && status < 500, path + " " + status);
    }
  }

  @Test
  void randomRequestsNeverMakeItFail() throws Exception {
    Random random = new Random(SEED);
    String[] methods = {"GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "FOO"};
    String[] parts = {
      "/",
      "api",
      "v1",
      "clusters",
      cluster,
      "tokens",
      "kubeconfig",
      "%20",
      "..",
      "?limit=",
      "&",
      "=",
      "agent-tokens",
      "é",
      "\t",
      "{",
      "}",
      "0",
      "*",
      "#",
      "%",
      ";",
      "state",
      "events?x",
      "log"
    };
    for (int i = 0; i < 2000; i++) {
      StringBuilder path = new StringBuilder("/");
      if (random.nextBoolean()) {
        path.append("api/v1/");
      }
      for (int n = random.nextInt(6); n > 0; n--) {
        path.append(parts[random.nextInt(parts.length)]);
        if (random.nextBoolean()) {
          path.append('/');
        }
      }
      String request =
          "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Length: 0\r\n"
              .formatted(methods[random.nextInt(methods.length)], path, hub.admin);
      // The events of a whole hub would not end.
      if (!path.toString().contains("events")) {
        int status = RawHttp.status(hub.port(), request);
        assertTrue(status < 500 || status == 501 || status == 505, path + " " + status);
      }
    }
    assertEquals(200, hub.get("/api/v1/state").statusCode());
  }

  @Test
  void strangeCredentialsAreRefused() throws Exception {
    for (String header :
        List.of(
            "",
            "Authorization: \r\n",
            "Authorization: Bearer\r\n",
            "Authorization: Basic " + hub.admin + "\r\n",
            "Authorization: Bearer " + hub.admin + "x\r\n",
            "Authorization: Bearer " + hub.admin.substring(1) + "\r\n",
            "Authorization: Bearer " + hub.admin + " " + hub.admin + "\r\n",
            "Authorization: Bearer x\r\nAuthorization: Bearer " + hub.admin + "\r\n",
            "Authorization: Bearer " + "\u00e9".repeat(47) + "\r\n",
            "Cookie: token=" + hub.admin + "\r\n")) {
      int status = RawHttp.status(hub.port(), "GET /api/v1/state HTTP/1.1\r\nHost: h\r\n" + header);
      assertTrue(status == 401 || status == 400, header + status);
    }
    int status =
        RawHttp.status(
            hub.port(), "GET /api/v1/state?token=" + hub.admin + " HTTP/1.1\r\nHost: h\r\n");
    assertEquals(401, status);
  }
}
