package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An API server that does not read what is sent to it holds the client back; nothing is lost. */
class SlowTargetIT {
  private static final int SIZE = 64 << 20;
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  @TempDir Path dir;

  @ParameterizedTest(name = "by streams: {0}")
  @ValueSource(booleans = {true, false})
  void aLargeBodyWaitsUntilItIsRead(boolean streams) throws Exception {
    CountDownLatch read = new CountDownLatch(1);
    HttpServer target =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
    target.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    target.createContext("/", exchange -> answer(exchange, read));
    target.start();
    try (Spine spine = Spine.prepared(dir)) {
      spine.values.put("kubernetes.kubeconfig", kubeconfig(target).toString());
      spine.values.put("forward.api", String.valueOf(streams));
      spine.startHub();
      spine.startAgent();
      spine.awaitReady();
      MessageDigest sent = MessageDigest.getInstance("SHA-256");
      Body body = new Body(sent);
      CompletableFuture<HttpResponse<String>> answer =
          spine
              .client()
              .sendAsync(
                  spine
                      .api("/api/v1/upload")
                      .timeout(LIMIT)
                      .POST(BodyPublishers.ofInputStream(() -> body))
                      .build(),
                  BodyHandlers.ofString());
      Await.until("the body is held back", LIMIT, body::resting);
      assertFalse(answer.isDone());
      assertTrue(body.taken < SIZE / 2, () -> body.taken + " bytes were taken that nobody read");
      read.countDown();
      HttpResponse<String> response = answer.get(60, TimeUnit.SECONDS);
      assertEquals(200, response.statusCode(), response.body());
      assertEquals(HexFormat.of().formatHex(sent.digest()), response.body());
    } finally {
      target.stop(0);
    }
  }

  private Path kubeconfig(HttpServer target) throws IOException {
    return Files.writeString(
        dir.resolve("target.kubeconfig"),
        """
        apiVersion: v1
        kind: Config
        clusters: [{name: slow, cluster: {server: "http://127.0.0.1:%d"}}]
        users: [{name: slow, user: {token: slow}}]
        contexts: [{name: slow, context: {cluster: slow, user: slow}}]
        current-context: slow
        """
            .formatted(target.getAddress().getPort()));
  }

  /** Knows its version, and how to be slow; all else is not there. */
  private static void answer(HttpExchange exchange, CountDownLatch read) throws IOException {
    try (exchange;
        InputStream in = exchange.getRequestBody()) {
      String path = exchange.getRequestURI().getPath();
      String text = "{\"gitVersion\":\"v1.34.0\"}";
      int status = path.equals("/version") ? 200 : 404;
      if (path.equals("/api/v1/upload")) {
        status = 200;
        read.await(60, TimeUnit.SECONDS);
        MessageDigest got = MessageDigest.getInstance("SHA-256");
        new DigestInputStream(in, got).transferTo(java.io.OutputStream.nullOutputStream());
        text = HexFormat.of().formatHex(got.digest());
      }
      byte[] body = text.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    } catch (InterruptedException | java.security.GeneralSecurityException e) {
      throw new IOException(e);
    }
  }

  /** Random bytes of a size, which knows how many were taken, and when. */
  private static final class Body extends InputStream {
    private final Random random = new Random(7);
    private final MessageDigest digest;
    private volatile int taken;
    private volatile long last;

    Body(MessageDigest digest) {
      this.digest = digest;
    }

    /** Whether something was taken, but nothing for a second. */
    boolean resting() {
      return taken > 0 && System.nanoTime() - last > SECOND;
    }

    @Override
    public int read() {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int offset, int length) {
      if (taken == SIZE) {
        return -1;
      }
      byte[] piece = new byte[Math.min(length, SIZE - taken)];
      random.nextBytes(piece);
      System.arraycopy(piece, 0, to, offset, piece.length);
      digest.update(piece);
      last = System.nanoTime();
      taken = taken + piece.length;
      return piece.length;
    }
  }
}
