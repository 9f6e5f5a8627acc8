package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyRequest;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS: services have whatever certificate they like, the API server must have the cluster's. */
class TlsTest {
  @TempDir private Path folder;

  private SSLContext selfSigned() throws Exception {
    Path store = folder.resolve("store.p12");
    int code =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                "EC",
                "-dname",
                "CN=someone.else",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                "secret")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start()
            .waitFor();
    assertEquals(0, code);
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, "secret".toCharArray());
    }
    KeyManagerFactory managers = KeyManagerFactory.getInstance("PKIX");
    managers.init(keys, "secret".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    return context;
  }

  @Test
  void servicesAndApiServer() throws Exception {
    Target[] self = new Target[1];
    try (Bench bench = new Bench();
        Target target =
            new Target(
                selfSigned()
                    .getServerSocketFactory()
                    .createServerSocket(0, 10, InetAddress.getLoopbackAddress()),
                exchange -> {
                  String head = exchange.head();
                  if (!head.isEmpty()) {
                    self[0].heads.add(head);
                    exchange.ok("x".repeat(100_000));
                  }
                })) {
      self[0] = target;
      bench.peer.request(
          "r",
          Bench.get(target, "/")
              .scheme("https")
              .supportsResponseStreaming(true)
              .headers(Headers.of("X-Forwarded-Proto", "http")));
      bench.peer.awaitEnd("r");
      assertEquals(100_000, bench.peer.streamed("r").length);
      assertTrue(target.head().contains("X-Forwarded-Proto: https\r\n"));
      assertEquals(1, target.head().split("X-Forwarded-Proto").length - 1);

      bench.tunnel.server(
          new Bench.Api(URI.create("https://127.0.0.1:" + target.port()), Optional.empty()));
      bench.peer.request("s", ProxyRequest.builder("GET", "/api"));
      String error = bench.peer.error("s");
      assertTrue(error.startsWith("kubernetes API request failed: TLS: "), error);
      assertEquals(1, target.heads.size(), "nothing was sent to an impostor");
      bench.assertClean();
    }
  }
}
