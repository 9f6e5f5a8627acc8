package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.TestHub;
import io.pipeops.hub.agents.AgentLimits;
import io.pipeops.hub.store.StateDirectory;
import io.pipeops.hub.tls.HubTls;
import io.pipeops.hub.tls.TlsSettings;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The same over TLS with the generated CA, as it is by default. */
@Timeout(60)
class KubeApiTlsTest {
  @TempDir Path folder;
  private HubTls tls;
  private TestHub hub;
  private FakeAgent agent;
  private SSLContext trust;

  @BeforeEach
  void start() throws Exception {
    tls = HubTls.open(TlsSettings.generated(List.of()), StateDirectory.open(folder));
    hub =
        new TestHub(
            AgentLimits.standard(), HubListener.local(), "", Optional.of(tls.contextFactory()));
    agent = FakeAgent.registered(hub, "one");
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setCertificateEntry(
        "ca",
        CertificateFactory.getInstance("X.509")
            .generateCertificate(
                new ByteArrayInputStream(
                    tls.caPem().orElseThrow().getBytes(StandardCharsets.US_ASCII))));
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    trust = SSLContext.getInstance("TLS");
    trust.init(null, factory.getTrustManagers(), null);
  }

  @AfterEach
  void stop() {
    agent.close();
    hub.close();
    tls.close();
  }

  @Test
  void bodiesTravelWholeOnOneConnection() throws Exception {
    byte[] large = new byte[5 << 20];
    new Random(3).nextBytes(large);
    ByteArrayOutputStream up = new ByteArrayOutputStream();
    agent.script(
        message -> {
          String id = message.path("request_id").asText();
          switch (message.path("type").asText()) {
            case "proxy_request" -> {
              if (message.at("/payload/method").asText().equals("GET")) {
                Thread.ofVirtual()
                    .start(
                        () -> {
                          agent.head(id, 200, Map.of());
                          for (int i = 0; i < large.length; i += 32 << 10) {
                            agent.chunk(id, java.util.Arrays.copyOfRange(large, i, i + (32 << 10)));
                          }
                          agent.end(id);
                        });
              }
            }
            case "proxy_request_chunk" ->
                up.writeBytes(Base64.getDecoder().decode(message.at("/payload/data").asText()));
            case "proxy_request_stream_end" -> agent.answer(message, 201, "stored");
            default -> {}
          }
        });
    try (HttpClient client =
        HttpClient.newBuilder().sslContext(trust).version(HttpClient.Version.HTTP_1_1).build()) {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(hub.kube(agent.clusterId, "/api/v1/x"))
              .header("Authorization", "Bearer client-" + agent.clusterId);
      for (int i = 0; i < 2; i++) {
        assertArrayEquals(
            large, client.send(request.GET().build(), BodyHandlers.ofByteArray()).body());
        up.reset();
        assertEquals(
            "stored",
            client
                .send(
                    request.copy().PUT(BodyPublishers.ofByteArray(large)).build(),
                    BodyHandlers.ofString())
                .body());
        assertArrayEquals(large, up.toByteArray());
      }
    }
  }

  @Test
  void clientThatGoesAwayCancelsASilentWatch() throws Exception {
    CompletableFuture<String> cancelled = new CompletableFuture<>();
    agent.script(
        message -> {
          switch (message.path("type").asText()) {
            case "proxy_request" ->
                Thread.ofVirtual()
                    .start(() -> agent.head(message.path("request_id").asText(), 200, Map.of()));
            case "proxy_cancel" -> cancelled.complete("yes");
            default -> {}
          }
        });
    try (Socket socket =
        trust
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), hub.http().getPort())) {
      socket
          .getOutputStream()
          .write(
              ("GET /k8s/clusters/"
                      + agent.clusterId
                      + "/api/v1/pods?watch=1 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer client-"
                      + agent.clusterId
                      + "\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      assertTrue(
          new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII)
              .endsWith("200"));
    }
    assertEquals("yes", cancelled.get(10, TimeUnit.SECONDS));
    TestHub.await("no stream left", () -> hub.sessions.list().getFirst().streams() == 0);
  }
}
