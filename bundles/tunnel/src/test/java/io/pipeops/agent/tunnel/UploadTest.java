package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.BinaryBody;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Request bodies in every form (protocol 3.2.2, 3.2.3, 3.3). */
class UploadTest {
  private Bench bench;
  private Target target;

  @BeforeEach
  void start() throws Exception {
    bench = new Bench();
    target = Target.ok("ok");
  }

  @AfterEach
  void stop() throws Exception {
    bench.assertClean();
    bench.close();
    target.close();
  }

  private void restart(Settings settings, Target.Script script) throws Exception {
    bench.close();
    target.close();
    bench = new Bench(settings);
    target = new Target(script);
  }

  private ProxyRequestBuilder post() {
    return Bench.to(target, "POST", "/");
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void inlineBodyHasItsLength() {
    bench.peer.request(
        "r",
        post()
            .headers(Headers.of("Content-Type", "x/y").with("Content-Length", "999"))
            .body(bytes("inline")));
    assertEquals("ok", bench.peer.body("r"));
    assertEquals("inline", target.bodies.getLast());
    assertTrue(target.head().contains("Content-Length: 6\r\n"));
    assertTrue(target.head().contains("Content-Type: x/y\r\n"));
    assertEquals(6, bench.numbers.get("bytes_total", "direction", "in"));
  }

  @Test
  void noBodyIsSaidToBeNone() {
    bench.peer.request("r", post());
    assertEquals("ok", bench.peer.body("r"));
    assertTrue(target.head().contains("Content-Length: 0\r\n"), target.head());
    assertFalse(target.head().contains("Content-Type"), target.head());
  }

  @Test
  void streamedBodyIsChunked() {
    bench.peer.request("r", post().useStreaming(true));
    bench.peer.chunk("r", "hello ");
    bench.peer.deliver("proxy_request_chunk", "r", "{\"chunk\":\"d29ybGQ=\"}");
    bench.peer.endBody("r");
    assertEquals("ok", bench.peer.body("r"));
    assertEquals("hello world", target.bodies.getLast());
    assertTrue(target.head().contains("Transfer-Encoding: chunked\r\n"));
    Bench.eventually(() -> bench.numbers.get("bytes_total", "direction", "in") == 11);
  }

  @Test
  void streamedBodyOfKnownLength() {
    bench.peer.request("r", post().useStreaming(true).headers(Headers.of("content-length", "11")));
    bench.peer.chunk("r", "hello ");
    bench.peer.chunk("r", "world");
    bench.peer.endBody("r");
    assertEquals("ok", bench.peer.body("r"));
    assertTrue(target.head().contains("Content-Length: 11\r\n"));
    assertEquals("hello world", target.bodies.getLast());
  }

  @Test
  void emptyStreamOfAGetIsNoBody() {
    bench.peer.request("r", Bench.get(target, "/").useStreaming(true));
    bench.peer.endBody("r");
    assertEquals("ok", bench.peer.body("r"));
    assertFalse(target.head().contains("Transfer-Encoding"), target.head());
  }

  @Test
  void wrongLengthFails() {
    for (String length : new String[] {"3", "30"}) {
      String id = "r" + length;
      bench.peer.request(
          id, post().useStreaming(true).headers(Headers.of("Content-Length", length)));
      bench.peer.chunk(id, "hello");
      bench.peer.endBody(id);
      assertTrue(bench.peer.error(id).contains("Content-Length"));
    }
    assertEquals(2, bench.numbers.get("errors_total", "reason", "body"));
  }

  @Test
  void brokenChunkFailsTheRequestOnly() {
    bench.peer.request("good", post().useStreaming(true));
    bench.peer.chunk("good", "a");
    for (String payload : new String[] {"{\"data\":\"*\"}", "{}", "[]"}) {
      bench.peer.request("bad", post().useStreaming(true));
      bench.peer.deliver("proxy_request_chunk", "bad", payload);
      assertTrue(bench.peer.error("bad").startsWith("invalid request body"));
      bench.peer.forget();
    }
    bench.peer.endBody("good");
    assertEquals("ok", bench.peer.body("good"));
  }

  @Test
  void binaryBody() {
    bench.peer.request("r-7", post().bodyBinary(true));
    bench.peer.binary(new BinaryBody("r-7", bytes("raw")).write());
    assertEquals("ok", bench.peer.body("r-7"));
    assertEquals("raw", target.bodies.getLast());
    assertTrue(target.head().contains("Content-Length: 3\r\n"));
  }

  @Test
  void binaryBodyThatIsWrongOrMissing() {
    bench.peer.request("a", post().bodyBinary(true));
    bench.peer.binary(new BinaryBody("b", bytes("raw")).write());
    assertTrue(bench.peer.error("a").contains("another request"));
    bench.peer.request("c", post().bodyBinary(true));
    bench.peer.binary(ByteBuffer.allocate(1));
    assertTrue(bench.peer.error("c").startsWith("invalid request body"));
    bench.peer.request("d", post().bodyBinary(true));
    bench.peer.deliver("", new Ping());
    assertTrue(bench.peer.error("d").contains("did not come"));
    assertTrue(target.heads.isEmpty());
  }

  @Test
  void floodFailsOnlyItsStream() throws Exception {
    restart(
        Bench.bounds(256, 10, 1 << 20, 64 << 10, 64 << 20),
        exchange -> {
          String head = exchange.head();
          if (head.startsWith("GET")) {
            exchange.ok("fine");
          }
          exchange.awaitClose();
          // Reads nothing more, so that the sender's buffers fill up.
          new CountDownLatch(1).await(10, TimeUnit.SECONDS);
        });
    bench.peer.request("r", post().useStreaming(true));
    String piece = "x".repeat(10_000);
    for (int i = 0; i < 10_000 && bench.peer.terminals("r") == 0; i++) {
      bench.peer.chunk("r", piece);
      assertTrue(bench.tunnel.budget().taken() < 200_000);
    }
    assertTrue(bench.peer.error("r").contains("faster than the target takes it"));
    bench.peer.request("s", Bench.get(target, "/"));
    assertEquals("fine", bench.peer.body("s"));
  }

  @Test
  void emptyChunksAreNotFree() throws Exception {
    restart(Bench.bounds(256, 10, 1 << 20, 64 << 10, 64 << 20), exchange -> exchange.awaitClose());
    bench.peer.request("r", Bench.get(target, "/").useStreaming(true));
    bench.peer.request("full", post().bodyBinary(true));
    for (int i = 0; i < 100_000 && bench.peer.terminals("r") == 0; i++) {
      bench.peer.deliver("proxy_request_chunk", "r", "{\"data\":\"\"}");
    }
    // Either they were worked off or the stream failed: nothing has piled up.
    assertTrue(bench.tunnel.budget().taken() < 200_000);
    bench.peer.cancel("r");
    bench.peer.cancel("full");
    bench.peer.awaitEnd("r");
    bench.peer.awaitEnd("full");
  }

  @Test
  void slowTargetGetsAllOfIt() throws Exception {
    StringBuilder got = new StringBuilder();
    CountDownLatch go = new CountDownLatch(1);
    restart(
        Bench.bounds(256, 10, 1 << 20, 4 << 20, 64 << 20),
        exchange -> {
          String head = exchange.head();
          go.await(10, TimeUnit.SECONDS);
          got.append(exchange.body(head));
          exchange.ok("" + got.length());
        });
    bench.peer.request("r", post().useStreaming(true));
    for (int i = 0; i < 200; i++) {
      bench.peer.chunk("r", ("" + (char) ('a' + i % 26)).repeat(10_000));
    }
    go.countDown();
    bench.peer.endBody("r");
    assertEquals("2000000", bench.peer.body("r"));
    for (int i = 0; i < 200; i++) {
      assertEquals((char) ('a' + i % 26), got.charAt(i * 10_000));
    }
  }

  /** The peer sends what it may; only when it may send nothing more the target begins to read. */
  @Test
  void windowHoldsThePeerBackUntilTheTargetReads() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    restart(
        Bench.bounds(256, 10, 1 << 20, 1 << 20, 64 << 20),
        exchange -> {
          String head = exchange.head();
          go.await(20, TimeUnit.SECONDS);
          exchange.ok("" + exchange.body(head).length());
        });
    bench.peer.request("r", post().useStreaming(true).bodyWindow(true));
    String piece = "x".repeat(ProxyRequestWindow.CHUNK);
    long sent = 0;
    for (int i = 0; i < 1_000; i++) {
      if (!allowed(sent, Duration.ofMillis(300))) {
        go.countDown();
        assertTrue(allowed(sent, Duration.ofSeconds(20)), "more is granted when the target reads");
      }
      bench.peer.chunk("r", piece);
      sent += piece.length() + ProxyRequestWindow.PER_CHUNK;
      assertTrue(bench.tunnel.budget().taken() <= 1 << 20);
    }
    assertEquals(0, go.getCount(), "the target was slower than the peer");
    bench.peer.endBody("r");
    assertEquals("" + 1_000L * ProxyRequestWindow.CHUNK, bench.peer.body("r"));
  }

  private boolean allowed(long sent, Duration limit) {
    try {
      bench.peer.await("r", message -> window(message) > sent, limit);
      return true;
    } catch (AssertionError e) {
      return false;
    }
  }

  private static long window(Message message) {
    try {
      return message.type().equals(ProxyRequestWindow.TYPE)
          ? ProxyRequestWindow.parse(message.payload()).upTo()
          : -1;
    } catch (ProtocolException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void windowIsKnownBeforeTheRequestHasItsTurn() throws Exception {
    restart(Bench.bounds(1, 10, 1 << 20, 64 << 10, 64 << 20), exchange -> exchange.awaitClose());
    bench.peer.request("first", post().useStreaming(true));
    bench.peer.request("second", post().useStreaming(true).bodyWindow(true));
    Message window =
        bench.peer.await("second", message -> message.type().equals(ProxyRequestWindow.TYPE));
    // Base64 of all of it, and a chunk more, fits into what one request may hold.
    assertTrue(window(window) > 0);
    assertTrue((window(window) + ProxyRequestWindow.CHUNK) * 4 / 3 < 64 << 10);
    bench.peer.cancel("first");
    bench.peer.cancel("second");
    bench.peer.awaitEnd("first");
    bench.peer.awaitEnd("second");
    assertEquals(0, bench.peer.all("first").stream().filter(m -> window(m) >= 0).count());
  }

  @Test
  void answerBeforeTheBodyEnded() throws Exception {
    CountDownLatch closed = new CountDownLatch(1);
    restart(
        Bench.settings(),
        exchange -> {
          exchange.head();
          exchange.ok("enough");
          while (!exchange.awaitClose()) {
            continue;
          }
          closed.countDown();
        });
    bench.peer.request("r", post().useStreaming(true));
    bench.peer.chunk("r", "some");
    assertEquals("enough", bench.peer.body("r"));
    bench.peer.chunk("r", "more");
    bench.peer.endBody("r");
    assertTrue(closed.await(10, TimeUnit.SECONDS), "the half-used connection is closed");
    assertEquals(1, bench.peer.all("r").size());
  }

  @Test
  void bothDirectionsAtOnce() throws Exception {
    restart(
        Bench.settings(),
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          while (true) {
            int size = Integer.parseInt(exchange.line(), 16);
            String echo = new String(exchange.in.readNBytes(size), StandardCharsets.UTF_8);
            exchange.write(Integer.toHexString(size) + "\r\n" + echo + "\r\n");
            if (size == 0) {
              return;
            }
            // The client sends a chunk's line end with what follows.
            exchange.line();
          }
        });
    bench.peer.request("r", post().useStreaming(true).supportsResponseStreaming(true));
    StringBuilder all = new StringBuilder();
    for (int i = 0; i < 50; i++) {
      bench.peer.chunk("r", "ping" + i);
      all.append("ping").append(i);
      Bench.eventually(
          () ->
              new String(bench.peer.streamed("r"), StandardCharsets.UTF_8).equals(all.toString()));
    }
    bench.peer.endBody("r");
    bench.peer.awaitEnd("r");
  }

  @Test
  void chunksForABodyThatIsNotStreamedAreIgnored() {
    bench.peer.request("r", post().body(bytes("x")));
    bench.peer.chunk("r", "y");
    bench.peer.endBody("r");
    assertEquals("ok", bench.peer.body("r"));
    assertEquals("x", target.bodies.getLast());
  }
}
