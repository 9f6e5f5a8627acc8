package io.pipeops.agent.link;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.link.LinkSettings.TlsFiles;
import java.io.DataInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.TrustManagerFactory;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS with a CA of our own, client certificates, and a CONNECT proxy, over real sockets. */
@Timeout(180)
class TlsAndProxyTest {
  @TempDir Path folder;
  private final TestLink link = new TestLink();
  private ScriptedPeer controller;

  private record Identified(KeyPair keys, X509Certificate certificate) {}

  @AfterEach
  void stop() throws Exception {
    link.close();
    if (controller != null) {
      controller.close();
    }
  }

  private static KeyPair keys(String algorithm, int size) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
    generator.initialize(size);
    return generator.generateKeyPair();
  }

  private static Identified issue(
      Identified issuer, String name, KeyPair keys, boolean ca, String host, Duration from)
      throws Exception {
    Instant start = Instant.now().plus(from);
    X500Name subject = new X500Name("CN=" + name);
    X509v3CertificateBuilder builder =
        new X509v3CertificateBuilder(
            issuer == null
                ? subject
                : new X500Name(issuer.certificate.getSubjectX500Principal().getName()),
            BigInteger.valueOf(System.nanoTime()),
            Date.from(start),
            Date.from(start.plus(Duration.ofDays(2))),
            subject,
            SubjectPublicKeyInfo.getInstance(keys.getPublic().getEncoded()));
    builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(ca));
    if (!host.isEmpty()) {
      builder.addExtension(
          Extension.subjectAlternativeName,
          false,
          new GeneralNames(new GeneralName(GeneralName.dNSName, host)));
    }
    var signingKey = issuer == null ? keys.getPrivate() : issuer.keys.getPrivate();
    // By RSA nothing is signed here but what is to be refused.
    var signer =
        new JcaContentSignerBuilder(
                signingKey.getAlgorithm().equals("RSA") ? "MD5withRSA" : "SHA256withECDSA")
            .build(signingKey);
    return new Identified(
        keys, new JcaX509CertificateConverter().getCertificate(builder.build(signer)));
  }

  private static Identified authority() throws Exception {
    return issue(null, "Test CA", keys("EC", 256), true, "", Duration.ofDays(-1));
  }

  private static Identified server(Identified ca, String host, Duration from) throws Exception {
    return issue(ca, "server", keys("EC", 256), false, host, from);
  }

  private String pem(String name, String kind, byte[] der) throws IOException {
    Path file = folder.resolve(name);
    Files.writeString(
        file,
        "-----BEGIN "
            + kind
            + "-----\n"
            + Base64.getMimeEncoder().encodeToString(der)
            + "\n-----END "
            + kind
            + "-----\n");
    return file.toString();
  }

  private String pem(String name, Identified of) throws Exception {
    return pem(name, "CERTIFICATE", of.certificate.getEncoded());
  }

  private ScriptedPeer serve(Identified server, Identified clientCa, String... groups)
      throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry(
        "k", server.keys.getPrivate(), new char[0], new X509Certificate[] {server.certificate});
    KeyManagerFactory managers =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(store, new char[0]);
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    KeyStore roots = KeyStore.getInstance("PKCS12");
    roots.load(null, null);
    if (clientCa != null) {
      roots.setCertificateEntry("ca", clientCa.certificate);
    }
    trust.init(roots);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(
        managers.getKeyManagers(), clientCa == null ? null : trust.getTrustManagers(), null);
    javax.net.ServerSocketFactory factory =
        new javax.net.ServerSocketFactory() {
          @Override
          public ServerSocket createServerSocket(int port) {
            throw new UnsupportedOperationException();
          }

          @Override
          public ServerSocket createServerSocket(int port, int backlog) {
            throw new UnsupportedOperationException();
          }

          @Override
          public ServerSocket createServerSocket(int port, int backlog, InetAddress address)
              throws IOException {
            SSLServerSocket socket =
                (SSLServerSocket)
                    context.getServerSocketFactory().createServerSocket(port, backlog, address);
            socket.setNeedClientAuth(clientCa != null);
            if (groups.length > 0) {
              SSLParameters parameters = socket.getSSLParameters();
              parameters.setNamedGroups(groups);
              socket.setSSLParameters(parameters);
            }
            return socket;
          }
        };
    return new ScriptedPeer(factory, true, 0);
  }

  private void start(TlsFiles files, String proxy) {
    link.start(
        new LinkSettings(
            TestLink.with(TestLink.peer(controller.url()), files, proxy),
            TestLink.timing(),
            TestLink.limits(),
            TestLink.RESUME));
  }

  @Test
  void trustsACaFromAFileAndTakesUpANewOne() throws Exception {
    Identified ca = authority();
    controller = serve(server(ca, "localhost", Duration.ofDays(-1)), null);
    String file = pem("ca.pem", authority());
    start(new TlsFiles(file, "", "", false), "");
    link.await(s -> s.reason().contains("link.tls_ca_file"));
    assertTrue(link.status().reason().contains("not signed by a trusted CA"));
    pem("ca.pem", ca);
    controller.next().acceptRegistration("c-1", "");
    assertTrue(link.await(LinkState.CONNECTED).peer().startsWith("wss://"));
  }

  @Test
  void saysWhatIsWrongWithACertificate() throws Exception {
    Identified ca = authority();
    TlsFiles files = new TlsFiles(pem("ca.pem", ca), "", "", false);
    controller = serve(server(ca, "other.test", Duration.ofDays(-1)), null);
    start(files, "");
    link.await(s -> s.reason().contains("for another host"));
    controller.close();
    controller = serve(server(ca, "localhost", Duration.ofDays(-10)), null);
    start(files, "");
    link.await(s -> s.reason().contains("has expired"));
    controller.close();
    controller = serve(server(ca, "localhost", Duration.ofDays(5)), null);
    start(files, "");
    link.await(s -> s.reason().contains("not valid yet"));
    controller.close();
    Identified weak = issue(null, "Weak CA", keys("RSA", 2048), true, "", Duration.ofDays(-1));
    controller = serve(server(weak, "localhost", Duration.ofDays(-1)), null);
    start(new TlsFiles(pem("weak.pem", weak), "", "", false), "");
    link.await(s -> s.reason().contains("not safe any more: ") && s.reason().contains("MD5"));
  }

  /** The first offer is X25519 alone; the second one is made at once, not after a pause. */
  @Test
  void aPeerThatKnowsOnlyOtherGroupsIsReachedAtOnce() throws Exception {
    Identified ca = authority();
    controller = serve(server(ca, "localhost", Duration.ofDays(-1)), null, "secp256r1");
    Timing usual = TestLink.timing();
    Duration never = Duration.ofHours(1);
    link.start(
        new LinkSettings(
            TestLink.with(
                TestLink.peer(controller.url()),
                new TlsFiles(pem("ca.pem", ca), "", "", false),
                ""),
            new Timing(
                usual.handshake(),
                usual.ping(),
                usual.read(),
                never,
                never,
                usual.gatewayAttempts(),
                usual.standby(),
                usual.register(),
                usual.registerMax(),
                usual.stateWait(),
                usual.handOver(),
                true),
            TestLink.limits(),
            TestLink.RESUME));
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void checksNothingWhenToldSo() throws Exception {
    controller = serve(server(authority(), "other.test", Duration.ofDays(-10)), null);
    start(new TlsFiles("", "", "", true), "");
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void presentsAClientCertificate() throws Exception {
    Identified ca = authority();
    controller = serve(server(ca, "localhost", Duration.ofDays(-1)), ca);
    Identified client = issue(ca, "agent", keys("EC", 256), false, "", Duration.ofDays(-1));
    TlsFiles files =
        new TlsFiles(
            pem("ca.pem", ca),
            pem("cert.pem", client),
            pem("key.pem", "PRIVATE KEY", client.keys.getPrivate().getEncoded()),
            false);
    start(files, "");
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void saysWhatIsWrongWithAFile() throws Exception {
    controller = new ScriptedPeer();
    start(new TlsFiles(folder.resolve("none.pem").toString(), "", "", false), "");
    link.await(s -> s.reason().contains("link.tls_ca_file: cannot read"));
    start(new TlsFiles("", "x", "", false), "");
    link.await(s -> s.reason().contains("needs both"));
  }

  /** Keys in the older forms, taken from the newer one, which holds them. */
  @Test
  void readsKeysInEveryForm() throws Exception {
    KeyPair rsa = keys("RSA", 2048);
    byte[] pkcs8 = rsa.getPrivate().getEncoded();
    byte[] pkcs1 =
        org.bouncycastle.asn1.pkcs.PrivateKeyInfo.getInstance(pkcs8)
            .parsePrivateKey()
            .toASN1Primitive()
            .getEncoded();
    assertEquals(rsa.getPrivate(), Pem.key(pem("rsa1.pem", "RSA PRIVATE KEY", pkcs1), "link.x"));
    assertEquals(rsa.getPrivate(), Pem.key(pem("rsa8.pem", "PRIVATE KEY", pkcs8), "link.x"));
    KeyPair ec = keys("EC", 384);
    var info = org.bouncycastle.asn1.pkcs.PrivateKeyInfo.getInstance(ec.getPrivate().getEncoded());
    var inner = org.bouncycastle.asn1.sec.ECPrivateKey.getInstance(info.parsePrivateKey());
    byte[] sec1 =
        new org.bouncycastle.asn1.sec.ECPrivateKey(
                384, inner.getKey(), info.getPrivateKeyAlgorithm().getParameters())
            .getEncoded();
    var read =
        (java.security.interfaces.ECPrivateKey)
            Pem.key(pem("ec.pem", "EC PRIVATE KEY", sec1), "link.x");
    assertEquals(((java.security.interfaces.ECPrivateKey) ec.getPrivate()).getS(), read.getS());
    String locked = pem("locked.pem", "ENCRYPTED PRIVATE KEY", pkcs8);
    assertThrows(ConfigurationException.class, () -> Pem.key(locked, "link.x"));
    String garbage = pem("garbage.pem", "PRIVATE KEY", new byte[40]);
    assertThrows(ConfigurationException.class, () -> Pem.key(garbage, "link.x"));
    String short1 = pem("short.pem", "EC PRIVATE KEY", new byte[3]);
    assertThrows(ConfigurationException.class, () -> Pem.key(short1, "link.x"));
    assertThrows(ConfigurationException.class, () -> Pem.certificates(garbage, "link.x"));
  }

  /** Connects to localhost whatever it is asked for, if the password is right. */
  private static final class ConnectProxy implements AutoCloseable {
    final ServerSocket server;
    final List<ScriptedPeer.Request> requests = new CopyOnWriteArrayList<>();
    final int target;
    final String credentials;

    ConnectProxy(int target, String credentials) throws IOException {
      this.target = target;
      this.credentials = Base64.getEncoder().encodeToString(credentials.getBytes(ISO_8859_1));
      server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
      Thread.ofVirtual().start(this::accept);
    }

    private void accept() {
      while (!server.isClosed()) {
        try {
          Socket client = server.accept();
          Thread.ofVirtual().start(() -> serve(client));
        } catch (IOException e) {
          return;
        }
      }
    }

    private void serve(Socket client) {
      try {
        DataInputStream in = new DataInputStream(client.getInputStream());
        ScriptedPeer.Request request = ScriptedPeer.head(in);
        requests.add(request);
        if (!("Basic " + credentials).equals(request.headers().get("proxy-authorization"))) {
          client
              .getOutputStream()
              .write(
                  "HTTP/1.1 407 Who\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"
                      .getBytes(ISO_8859_1));
          client.close();
          return;
        }
        Socket peer = new Socket(InetAddress.getLoopbackAddress(), target);
        client.getOutputStream().write("HTTP/1.1 200 OK\r\n\r\n".getBytes(ISO_8859_1));
        Thread.ofVirtual().start(() -> copy(peer, client));
        copy(client, peer);
      } catch (IOException e) {
        ScriptedPeer.closeQuietly(client);
      }
    }

    private static void copy(Socket from, Socket to) {
      try {
        from.getInputStream().transferTo(to.getOutputStream());
        to.close();
      } catch (IOException e) {
        ScriptedPeer.closeQuietly(to);
      }
    }

    @Override
    public void close() throws IOException {
      server.close();
    }
  }

  private void through(ConnectProxy proxy, String scheme, TlsFiles files, String password) {
    link.start(
        new LinkSettings(
            TestLink.with(
                TestLink.peer(scheme + "://api.internal.test:4443"),
                files,
                "http://user:" + password + "@localhost:" + proxy.server.getLocalPort()),
            TestLink.timing(),
            TestLink.limits(),
            TestLink.RESUME));
  }

  @Test
  void goesThroughAProxyWithTls() throws Exception {
    Identified ca = authority();
    controller = serve(server(ca, "api.internal.test", Duration.ofDays(-1)), null);
    try (ConnectProxy proxy = new ConnectProxy(controller.port(), "user:pass word")) {
      through(proxy, "https", new TlsFiles(pem("ca.pem", ca), "", "", false), "pass%20word");
      var peer = controller.next();
      assertEquals("CONNECT api.internal.test:4443 HTTP/1.1", proxy.requests.get(0).line());
      assertFalse(proxy.requests.get(0).headers().containsKey("authorization"));
      assertFalse(peer.request.headers().containsKey("proxy-authorization"));
      peer.acceptRegistration("c-1", "");
      link.await(LinkState.CONNECTED);
      link.close();
    }
  }

  @Test
  void goesThroughAProxyInClearTextByATunnelToo() throws Exception {
    controller = new ScriptedPeer();
    try (ConnectProxy proxy = new ConnectProxy(controller.port(), "user:pw")) {
      through(proxy, "http", TlsFiles.NONE, "pw");
      var peer = controller.next();
      assertEquals("GET /api/v1/clusters/agent/ws HTTP/1.1", peer.request.line());
      assertEquals("CONNECT api.internal.test:4443 HTTP/1.1", proxy.requests.get(0).line());
      peer.acceptRegistration("c-1", "");
      link.await(LinkState.CONNECTED);
      link.close();
    }
  }

  @Test
  void saysThatTheProxyRefused() throws Exception {
    controller = new ScriptedPeer();
    try (ConnectProxy proxy = new ConnectProxy(controller.port(), "user:pw")) {
      through(proxy, "http", TlsFiles.NONE, "wrong");
      var status = link.await(s -> s.reason().contains("407"));
      assertFalse(status.reason().contains("wrong"), status::reason);
      assertTrue(controller.requests.isEmpty());
      link.close();
    }
  }
}
