package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.kubernetes.FakeApiServer.Fault;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ApiClientTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final Supplier<Optional<String>> TOKEN = () -> Optional.of("secret-token");

  @TempDir Path folder;

  private static ApiClient client(String base, Supplier<Optional<String>> token) throws Exception {
    return client(base, false, "", null, token);
  }

  private static ApiClient client(
      String base,
      boolean insecure,
      String ca,
      ClientIdentity identity,
      Supplier<Optional<String>> token)
      throws Exception {
    Place place = new Place(URI.create(base), insecure, () -> ca, identity, token, false, "n");
    return new ApiClient(new LocatedApiServer(place, "n", "d"), false, new Fakes.NoMetrics());
  }

  @Test
  void asksWithTheTokenOfTheMoment() throws Exception {
    String[] token = {"one"};
    try (FakeApiServer server = new FakeApiServer();
        ApiClient client = client(server.base(), () -> Optional.of(token[0]))) {
      assertEquals(200, client.get("/version", "application/json", LIMIT).status());
      token[0] = "two";
      client.get("/version", "application/json", LIMIT);
      assertEquals("Bearer one", server.asked.get(0).token());
      assertEquals("Bearer two", server.asked.get(1).token());
      assertEquals("", client.failure());
    }
  }

  @Test
  void passesEveryStatusOnAndKnowsAFailingServer() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        ApiClient client = client(server.base(), TOKEN)) {
      for (int status : new int[] {401, 403, 404, 409, 410, 302}) {
        server.faults.add(Fault.of(status));
        assertEquals(status, client.get("/x", "application/json", LIMIT).status());
        assertEquals("", client.failure());
      }
      server.faults.add(Fault.of(500));
      assertEquals(500, client.get("/x", "application/json", LIMIT).status());
      assertEquals("API server answers 500", client.failure());
      client.get("/version", "application/json", LIMIT);
      assertEquals("", client.failure());
    }
  }

  @Test
  void whatIsRefusedIsCountedApart() throws Exception {
    Map<String, AtomicLong> counts = new ConcurrentHashMap<>();
    Fakes.NoMetrics metrics =
        new Fakes.NoMetrics() {
          @Override
          public Counter counter(String name, String help, String... labels) {
            AtomicLong count = new AtomicLong();
            counts.put(labels[1], count);
            return count::addAndGet;
          }
        };
    try (FakeApiServer server = new FakeApiServer()) {
      Place place = new Place(URI.create(server.base()), false, () -> "", null, TOKEN, false, "n");
      try (ApiClient client =
          new ApiClient(new LocatedApiServer(place, "n", "d"), false, metrics)) {
        for (int status : new int[] {401, 403, 404}) {
          server.faults.add(Fault.of(status));
          client.get("/x", "application/json", LIMIT);
        }
        server.faults.add(Fault.of(403));
        CountDownLatch ended = new CountDownLatch(1);
        client.stream(
            "/x",
            LIMIT,
            new Response.Listener() {
              @Override
              public void onComplete(Result result) {
                ended.countDown();
              }
            });
        assertTrue(ended.await(LIMIT.toSeconds(), TimeUnit.SECONDS));
        assertEquals(3, counts.get("refused").get());
        assertEquals(1, counts.get("answered").get());
        assertEquals(0, counts.get("failed").get());
      }
    }
  }

  @Test
  void waitsAsTheServerAsksIfTheLimitAllows() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        ApiClient client = client(server.base(), TOKEN)) {
      server.faults.add(new Fault(429, "1", "{}"));
      long start = System.nanoTime();
      assertEquals(200, client.get("/version", "application/json", LIMIT).status());
      assertTrue(System.nanoTime() - start >= 900_000_000L);
      server.faults.add(new Fault(429, "3600", "{}"));
      Answer answer = client.get("/version", "application/json", LIMIT);
      assertEquals(429, answer.status());
      assertEquals(Duration.ofMinutes(10), answer.retryAfter());
      server.faults.add(new Fault(503, "soon", "{}"));
      assertEquals(503, client.get("/version", "application/json", LIMIT).status());
    }
  }

  @Test
  void givesUpInTimeOnASilentServer() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        ApiClient client = client(server.base(), TOKEN)) {
      client.get("/version", "application/json", LIMIT);
      server.silent = true;
      long start = System.nanoTime();
      IOException thrown =
          assertThrows(
              IOException.class,
              () -> client.get("/version", "application/json", Duration.ofMillis(300)));
      assertTrue(System.nanoTime() - start < 5_000_000_000L);
      assertTrue(thrown.getMessage().contains("in time"), thrown.getMessage());
      assertFalse(client.failure().isEmpty());
      assertEquals(2, server.asked.size());
    }
  }

  @Test
  void refusesAnAnswerThatIsTooLarge() throws Exception {
    try (FakeApiServer server = new FakeApiServer();
        ApiClient client = client(server.base(), TOKEN)) {
      server.permanent = new Fault(200, "", "x".repeat(9 << 20));
      assertThrows(IOException.class, () -> client.get("/x", "application/json", LIMIT));
    }
  }

  @Test
  void survivesAServerThatWasRestarted() throws Exception {
    FakeApiServer server = new FakeApiServer();
    try (ApiClient client = client(server.base(), TOKEN)) {
      assertEquals(200, client.get("/version", "application/json", LIMIT).status());
      int port = server.port();
      server.close();
      assertThrows(IOException.class, () -> client.get("/version", "application/json", LIMIT));
      assertFalse(client.failure().contains("secret-token"));
      try (FakeApiServer again = new FakeApiServer(null, port)) {
        assertEquals(200, client.get("/version", "application/json", LIMIT).status());
        assertEquals(1, again.asked.size());
      }
    }
  }

  @Test
  void checksTheServersCertificateAndPresentsItsOwn() throws Exception {
    Certificates serverKeys = Certificates.make(folder, "server", "EC");
    Certificates clientKeys = Certificates.make(folder, "client", "RSA");
    ClientIdentity identity =
        new ClientIdentity(
            Pem.certificates(clientKeys.certificatePem(), "c"),
            Pem.privateKey(Certificates.oldKeyPem(clientKeys.key), "k"));
    try (FakeApiServer server = new FakeApiServer(serverKeys.server(), 0)) {
      try (ApiClient client =
          client(server.base(), false, serverKeys.certificatePem(), identity, TOKEN)) {
        assertEquals(200, client.get("/version", "application/json", LIMIT).status());
      }
      try (ApiClient stranger =
          client(server.base(), false, clientKeys.certificatePem(), null, TOKEN)) {
        assertThrows(IOException.class, () -> stranger.get("/version", "application/json", LIMIT));
      }
      try (ApiClient wrongName =
          client(
              server.base().replace("127.0.0.1", "localhost"),
              false,
              serverKeys.certificatePem(),
              null,
              TOKEN)) {
        assertThrows(IOException.class, () -> wrongName.get("/version", "application/json", LIMIT));
      }
      try (ApiClient insecure =
          client(server.base().replace("127.0.0.1", "localhost"), true, "", null, TOKEN)) {
        assertEquals(200, insecure.get("/version", "application/json", LIMIT).status());
      }
    }
  }

  /** The first offer is X25519 alone. */
  @Test
  void aServerThatKnowsOnlyOtherGroupsIsReached() throws Exception {
    Certificates keys = Certificates.make(folder, "server", "EC");
    try (FakeApiServer server = new FakeApiServer(keys.server(), 0, "secp256r1");
        ApiClient client = client(server.base(), false, keys.certificatePem(), null, TOKEN)) {
      assertEquals(200, client.get("/version", "application/json", LIMIT).status());
      assertEquals("", client.failure());
    }
  }

  @Test
  void aRotatedCaIsTakenWithoutARestart() throws Exception {
    Certificates oldKeys = Certificates.make(folder, "old", "EC");
    Certificates newKeys = Certificates.make(folder, "new", "EC");
    Path file = folder.resolve("ca.crt");
    Files.writeString(file, oldKeys.certificatePem());
    RotatedFile rotated = new RotatedFile(file);
    Place place =
        new Place(
            URI.create("https://127.0.0.1:1"),
            false,
            () -> rotated.text().orElse(""),
            null,
            TOKEN,
            true,
            "n");
    ClusterTrust trust = new ClusterTrust(place.ca());
    assertEquals(oldKeys.certificate, trust.getAcceptedIssuers()[0]);
    Files.delete(file);
    Files.writeString(file, newKeys.certificatePem());
    Await.until("rotated", () -> trust.getAcceptedIssuers()[0].equals(newKeys.certificate));
    Files.delete(file);
    Files.writeString(file, "garbage");
    Await.until("seen", () -> rotated.text().orElse("").equals("garbage"));
    assertEquals(newKeys.certificate, trust.getAcceptedIssuers()[0]);
  }
}
