package io.pipeops.agent.bench;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * Plays the API server: TLS unless it is told otherwise, fixed answers of known sizes, and a count
 * of what it was asked. What it does not know is 404, as for an agent whose state objects do not
 * exist yet.
 */
final class Target implements AutoCloseable {
  private static final char[] PASSWORD = "changeit".toCharArray();

  private final HttpServer server;

  /** Null without TLS. */
  private final Path ca;

  /** Null without TLS. */
  private final KeyStore keys;

  private final Large large = new Large();

  private final AtomicLong requests = new AtomicLong();
  private final byte[] small = text(1024);
  private final byte[] medium = text(4096);

  private Target(HttpServer server, Path ca, KeyStore keys) {
    this.server = server;
    this.ca = ca;
    this.keys = keys;
  }

  static Target start(Path dir) throws Exception {
    HttpsServer server = HttpsServer.create(anyPort(), 512);
    Path store = dir.resolve("target.p12");
    keytool(
        "-genkeypair",
        "-alias",
        "target",
        "-keyalg",
        "EC",
        "-dname",
        "CN=bench-target",
        "-ext",
        "san=ip:127.0.0.1,dns:localhost",
        "-validity",
        "30",
        "-storetype",
        "PKCS12",
        "-keystore",
        store.toString(),
        "-storepass",
        new String(PASSWORD));
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD);
    }
    Path ca = dir.resolve("target.crt");
    Files.writeString(ca, pem("CERTIFICATE", keys.getCertificate("target").getEncoded()));
    server.setHttpsConfigurator(new HttpsConfigurator(tls(keys)));
    return start(server, ca, keys);
  }

  /** Without TLS. */
  static Target plain() throws IOException {
    return start(HttpServer.create(anyPort(), 512), null, null);
  }

  private static String pem(String what, byte[] content) {
    return "-----BEGIN "
        + what
        + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content)
        + "\n-----END "
        + what
        + "-----\n";
  }

  private static InetSocketAddress anyPort() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  private static Target start(HttpServer server, Path ca, KeyStore keys) {
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    Target target = new Target(server, ca, keys);
    server.createContext("/", target::handle);
    server.start();
    return target;
  }

  private static SSLContext tls(KeyStore keys) throws GeneralSecurityException {
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(keys, PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(factory.getKeyManagers(), null, null);
    return context;
  }

  private static void keytool(String... arguments) throws IOException, InterruptedException {
    String[] line = new String[arguments.length + 1];
    line[0] = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    System.arraycopy(arguments, 0, line, 1, arguments.length);
    Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("keytool: " + output);
    }
  }

  private void handle(HttpExchange exchange) throws IOException {
    requests.incrementAndGet();
    try (exchange) {
      switch (exchange.getRequestURI().getPath()) {
        case "/version" ->
            answer(
                exchange,
                "application/json",
                "{\"gitVersion\":\"v1.34.0\"}".getBytes(StandardCharsets.UTF_8));
        case "/api/small" -> answer(exchange, "application/octet-stream", small);
        case "/api/medium" -> answer(exchange, "text/plain", medium);
        case "/api/large" -> sendLarge(exchange);
        case "/api/endless" -> endless(exchange);
        case "/api/upload" -> {
          byte[] buffer = new byte[1 << 16];
          long total = 0;
          InputStream in = exchange.getRequestBody();
          for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            total += n;
          }
          answer(exchange, "text/plain", Long.toString(total).getBytes(StandardCharsets.UTF_8));
        }
        default -> {
          exchange.getRequestBody().readAllBytes();
          byte[] body =
              "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"code\":404}"
                  .getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("Content-Type", "application/json");
          exchange.sendResponseHeaders(404, body.length);
          exchange.getResponseBody().write(body);
        }
      }
    }
  }

  private static void answer(HttpExchange exchange, String type, byte[] body) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }

  private void sendLarge(HttpExchange exchange) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
    exchange.sendResponseHeaders(200, Large.SIZE);
    large.write(exchange.getResponseBody());
  }

  /** Sends a little, again and again, until nobody listens. */
  private static void endless(HttpExchange exchange) throws IOException {
    exchange.sendResponseHeaders(200, 0);
    byte[] block = new byte[1 << 10];
    try (OutputStream out = exchange.getResponseBody()) {
      while (true) {
        out.write(block);
        out.flush();
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
      }
    } catch (IOException gone) {
      // That is how it ends.
    }
  }

  private static byte[] text(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) ('a' + i * 7 % 26);
    }
    return bytes;
  }

  URI address() {
    return URI.create((ca == null ? "http" : "https") + "://127.0.0.1:" + port());
  }

  int port() {
    return server.getAddress().getPort();
  }

  /** Whom to trust; null without TLS. */
  SSLContext trust() throws IOException, GeneralSecurityException {
    return ca == null ? null : Spine.trust(ca);
  }

  /** The file with the certificate; null without TLS. */
  Path certificate() {
    return ca;
  }

  /** Writes certificate and key to a file, for another server in this one's place. */
  Path writeKey(Path file) throws IOException, GeneralSecurityException {
    return Files.writeString(
        file,
        Files.readString(ca) + pem("PRIVATE KEY", keys.getKey("target", PASSWORD).getEncoded()));
  }

  Large large() {
    return large;
  }

  long requests() {
    return requests.get();
  }

  /** A kubeconfig for the agent: a token nobody checks. */
  Path kubeconfig(Path dir) throws IOException {
    return Files.writeString(
        dir.resolve("target.kubeconfig"),
        """
        apiVersion: v1
        kind: Config
        clusters: [{name: bench, cluster: {server: "%s"%s}}]
        users: [{name: bench, user: {token: bench}}]
        contexts: [{name: bench, context: {cluster: bench, user: bench}}]
        current-context: bench
        """
            .formatted(address(), ca == null ? "" : ", certificate-authority: \"" + ca + "\""));
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
