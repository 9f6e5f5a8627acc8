package io.pipeops.hub.tls;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.store.StateDirectory;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.TrustManagerFactory;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Certificates as real TLS clients see them. */
class HubTlsTest {
  @TempDir Path home;
  private StateDirectory state;
  private final MovableClock clock = new MovableClock();

  @BeforeEach
  void open() throws Exception {
    state = StateDirectory.open(home);
  }

  @AfterEach
  void close() throws Exception {
    state.close();
  }

  private HubTls tls(String... names) throws IOException {
    return HubTls.open(TlsSettings.generated(List.of(names)), state, clock);
  }

  @Test
  void clientThatTrustsTheCaIsServedUnderEveryName() throws Exception {
    try (HubTls tls = tls("hub.example.com", "*.hub.example.com", "192.0.2.9", "2001:db8::9");
        Hub hub = new Hub(tls)) {
      HttpClient client = client(tls.caPem().orElseThrow());
      for (String host : List.of("localhost", "127.0.0.1")) {
        assertEquals("hello", hub.get(client, host));
      }
      X509Certificate shown = hub.shown(client);
      String names = shown.getSubjectAlternativeNames().toString();
      for (String name :
          List.of("hub.example.com", "*.hub.example.com", "192.0.2.9", "localhost")) {
        assertTrue(names.contains(name), names);
      }
      assertTrue(names.contains("2001:db8:0:0:0:0:0:9"), names);
      assertEquals(-1, shown.getBasicConstraints());
      assertEquals(List.of("1.3.6.1.5.5.7.3.1"), shown.getExtendedKeyUsage());
    }
  }

  @Test
  void clientThatDoesNotTrustTheCaRefuses() throws Exception {
    try (HubTls tls = tls();
        Hub hub = new Hub(tls)) {
      assertThrows(
          SSLHandshakeException.class, () -> hub.get(HttpClient.newHttpClient(), "localhost"));
    }
  }

  @Test
  void caIsProperAndKeysAreTheOwnersOnly() throws Exception {
    try (HubTls tls = tls()) {
      X509Certificate ca = certificate(tls.caPem().orElseThrow());
      assertEquals(0, ca.getBasicConstraints());
      assertEquals("EC", ca.getPublicKey().getAlgorithm());
      assertTrue(ca.getKeyUsage()[5], "keyCertSign");
      ca.verify(ca.getPublicKey());
      assertTrue(ca.getSerialNumber().signum() > 0 && ca.getSerialNumber().bitLength() <= 159);
      for (String name : List.of("ca.key", "server.key")) {
        assertEquals(
            "rw-------",
            PosixFilePermissions.toString(Files.getPosixFilePermissions(home.resolve(name))));
      }
    }
    assertTrue(
        Arrays.stream(Security.getProviders())
            .noneMatch(provider -> provider.getName().equals("BC")));
  }

  @Test
  void restartKeepsCaAndCertificate() throws Exception {
    tls("a.example").close();
    byte[] ca = Files.readAllBytes(home.resolve("ca.crt"));
    byte[] certificate = Files.readAllBytes(home.resolve("server.crt"));
    tls("a.example").close();
    assertArrayEquals(ca, Files.readAllBytes(home.resolve("ca.crt")));
    assertArrayEquals(certificate, Files.readAllBytes(home.resolve("server.crt")));
    tls("b.example").close();
    assertArrayEquals(ca, Files.readAllBytes(home.resolve("ca.crt")));
    assertFalse(Arrays.equals(certificate, Files.readAllBytes(home.resolve("server.crt"))));
  }

  @Test
  void certificateIsRenewedWhileServing() throws Exception {
    try (HubTls tls = tls();
        Hub hub = new Hub(tls)) {
      HttpClient client = client(tls.caPem().orElseThrow());
      BigInteger first = hub.shown(client).getSerialNumber();
      clock.forward(GeneratedIdentity.LIFETIME.minus(GeneratedIdentity.RENEW_BEFORE).minusDays(1));
      tls.renew();
      assertEquals(first, hub.shown(client(tls.caPem().get())).getSerialNumber());
      clock.forward(Duration.ofDays(2));
      tls.renew();
      BigInteger second = hub.shown(client(tls.caPem().get())).getSerialNumber();
      assertNotEquals(first, second);
      // The client that was connected before is not disturbed.
      assertEquals("hello", hub.get(client, "localhost"));
      tls.renew();
      assertEquals(second, hub.shown(client(tls.caPem().get())).getSerialNumber());
    }
  }

  @Test
  void damagedServerCertificateIsReplaced() throws Exception {
    tls().close();
    Files.writeString(home.resolve("server.crt"), "garbage");
    tls().close();
    Files.writeString(home.resolve("server.key"), "garbage");
    try (HubTls tls = tls();
        Hub hub = new Hub(tls)) {
      assertEquals("hello", hub.get(client(tls.caPem().orElseThrow()), "localhost"));
    }
  }

  @Test
  void damagedOrHalfCaIsTold() throws Exception {
    tls().close();
    byte[] key = Files.readAllBytes(home.resolve("ca.key"));
    Files.delete(home.resolve("ca.key"));
    IOException half = assertThrows(IOException.class, this::tls);
    assertTrue(half.getMessage().contains("ca.key"), half.getMessage());
    Files.writeString(home.resolve("ca.key"), "-----BEGIN PRIVATE KEY-----\nhunter2\n");
    IOException damaged = assertThrows(IOException.class, this::tls);
    assertTrue(damaged.getMessage().contains("ca.key"), damaged.getMessage());
    assertFalse(damaged.getMessage().contains("hunter2"));
    Files.write(home.resolve("ca.key"), Files.readAllBytes(home.resolve("server.key")));
    IOException foreign = assertThrows(IOException.class, this::tls);
    assertTrue(foreign.getMessage().contains("do not belong together"));
    Files.write(home.resolve("ca.key"), key);
    clock.forward(CertificateAuthority.LIFETIME.plusDays(1));
    IOException over = assertThrows(IOException.class, this::tls);
    assertTrue(over.getMessage().contains("ended at"), over.getMessage());
  }

  @Test
  void badNamesAreRefused() {
    for (String name : List.of("a b", "-x", "a..b", "http://x", "x/y", "a\nb", "*", "x,y")) {
      IOException refused = assertThrows(IOException.class, () -> tls(name), name);
      assertFalse(refused.getMessage().contains("\n"));
    }
  }

  @Test
  void ownCertificateIsServedAndItsReplacementToo() throws Exception {
    Path own = Files.createDirectory(home.resolve("own"));
    X509Certificate first = writeOwn(own, "one");
    TlsSettings settings =
        new TlsSettings(
            List.of(),
            Optional.of(own.resolve("tls.crt")),
            Optional.of(own.resolve("tls.key")),
            Optional.of(own.resolve("ca.crt")));
    try (HubTls tls = HubTls.open(settings, state, clock);
        Hub hub = new Hub(tls)) {
      assertFalse(Files.exists(home.resolve("ca.key")));
      assertEquals(
          first.getSerialNumber(), hub.shown(client(tls.caPem().orElseThrow())).getSerialNumber());
      X509Certificate second = writeOwn(own, "two");
      tls.renew();
      assertEquals(
          second.getSerialNumber(),
          hub.shown(client(Files.readString(own.resolve("ca.crt")))).getSerialNumber());
      // A broken replacement leaves what works.
      Files.writeString(own.resolve("tls.crt"), "garbage");
      tls.renew();
      assertEquals(
          second.getSerialNumber(),
          hub.shown(client(Files.readString(own.resolve("ca.crt")))).getSerialNumber());
    }
  }

  @Test
  void ownCertificateWithoutItsKeyIsTold() throws Exception {
    Path own = Files.createDirectory(home.resolve("own"));
    writeOwn(own, "one");
    TlsSettings missing =
        new TlsSettings(
            List.of(),
            Optional.of(own.resolve("tls.crt")),
            Optional.of(own.resolve("nothing.key")),
            Optional.empty());
    IOException told = assertThrows(IOException.class, () -> HubTls.open(missing, state, clock));
    assertTrue(told.getMessage().contains("nothing.key"));
    TlsSettings unset =
        new TlsSettings(
            List.of(), Optional.of(own.resolve("tls.crt")), Optional.empty(), Optional.empty());
    assertThrows(IOException.class, () -> HubTls.open(unset, state, clock));
    writeOwn(Files.createDirectory(home.resolve("other")), "other");
    TlsSettings foreign =
        new TlsSettings(
            List.of(),
            Optional.of(own.resolve("tls.crt")),
            Optional.of(home.resolve("other").resolve("tls.key")),
            Optional.empty());
    IOException mixed = assertThrows(IOException.class, () -> HubTls.open(foreign, state, clock));
    assertTrue(mixed.getMessage().contains("does not belong"), mixed.getMessage());
  }

  /** A CA and a certificate as an operator might have them. */
  private X509Certificate writeOwn(Path folder, String name) throws Exception {
    Path from = home.resolve("made-" + name);
    try (StateDirectory made = StateDirectory.open(from)) {
      HubTls.open(TlsSettings.generated(List.of()), made, clock).close();
      Files.write(folder.resolve("tls.crt"), Files.readAllBytes(from.resolve("server.crt")));
      Files.write(folder.resolve("tls.key"), Files.readAllBytes(from.resolve("server.key")));
      Files.write(folder.resolve("ca.crt"), Files.readAllBytes(from.resolve("ca.crt")));
    }
    return certificate(Files.readString(folder.resolve("tls.crt")));
  }

  private static X509Certificate certificate(String pem) throws Exception {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
  }

  private static HttpClient client(String caPem) throws Exception {
    KeyStore trust = KeyStore.getInstance("PKCS12");
    trust.load(null, null);
    trust.setCertificateEntry("ca", certificate(caPem));
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trust);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(context).build();
  }

  /** A server with that TLS. */
  private static final class Hub implements AutoCloseable {
    private final Server server = new Server(new QueuedThreadPool(8));
    private final ServerConnector connector;

    Hub(HubTls tls) throws Exception {
      connector = new ServerConnector(server, 1, 1, tls.contextFactory());
      server.addConnector(connector);
      server.setHandler(
          new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
              response.write(
                  true,
                  java.nio.ByteBuffer.wrap("hello".getBytes(StandardCharsets.US_ASCII)),
                  callback);
              return true;
            }
          });
      server.start();
    }

    private HttpResponse<String> response(HttpClient client, String host) throws Exception {
      return client.send(
          HttpRequest.newBuilder(
                  URI.create("https://" + host + ":" + connector.getLocalPort() + "/"))
              .build(),
          HttpResponse.BodyHandlers.ofString());
    }

    String get(HttpClient client, String host) throws Exception {
      return response(client, host).body();
    }

    X509Certificate shown(HttpClient client) throws Exception {
      return (X509Certificate)
          response(client, "localhost").sslSession().orElseThrow().getPeerCertificates()[0];
    }

    @Override
    public void close() {
      try {
        server.stop();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** A time that a test moves. */
  private static final class MovableClock extends Clock {
    // Begins in the past: what is made after it was moved must be valid now, for real clients.
    private Duration ahead = Duration.ofDays(-70);

    void forward(Duration time) {
      ahead = ahead.plus(time);
    }

    @Override
    public Instant instant() {
      return Instant.now().plus(ahead);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      throw new UnsupportedOperationException();
    }
  }
}
