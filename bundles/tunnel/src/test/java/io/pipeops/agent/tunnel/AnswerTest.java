package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the peer gets of a target's answer. */
class AnswerTest {
  private Bench bench;
  private Target target;

  @BeforeEach
  void start() {
    bench = new Bench();
  }

  @AfterEach
  void stop() throws Exception {
    bench.assertClean();
    bench.close();
    if (target != null) {
      target.close();
    }
  }

  private ProxyResponse buffered(String raw) throws Exception {
    target = Target.answering(raw);
    bench.peer.request("r", Bench.get(target, "/"));
    return bench.peer.response("r");
  }

  private void streamed(Target.Script script) throws Exception {
    target = new Target(script);
    bench.peer.request("r", Bench.get(target, "/").supportsResponseStreaming(true));
  }

  private static String of(String type, String body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: "
        + type
        + "\r\nContent-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  @Test
  void smallBodyIsPlainBase64() throws Exception {
    ProxyResponse response = buffered(of("application/json", "{}"));
    assertEquals(200, response.status());
    assertEquals(ProxyResponse.BASE64, response.encoding());
    assertEquals("{}", Peer.text(response.body()));
    assertEquals(2, bench.numbers.get("bytes_total", "direction", "out"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1024, 60_000, 65_537, 300_000, 900_000})
  void longTextIsCompressed(int length) throws Exception {
    String text = "some text ".repeat(length / 10 + 1).substring(0, length);
    ProxyResponse response = buffered(of("text/plain", text));
    assertEquals(ProxyResponse.GZIP, response.encoding());
    assertTrue(response.body().remaining() < length / 4);
    assertEquals(text, Peer.text(response.plainBody(1 << 20)));
    assertEquals(String.valueOf(length), response.headers().first("Content-Length"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"image/svg+xml", "application/zip", "application/octet-stream"})
  void otherTypesAreNotCompressed(String type) throws Exception {
    assertEquals(ProxyResponse.BASE64, buffered(of(type, "a".repeat(5000))).encoding());
  }

  @ParameterizedTest
  @ValueSource(ints = {3000, 200_000})
  void textThatDoesNotShrinkStaysPlain(int length) throws Exception {
    byte[] random = new byte[length];
    new Random(1).nextBytes(random);
    target =
        new Target(
            exchange -> {
              exchange.head();
              exchange.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
              exchange.out.write(random);
            });
    bench.peer.request("r", Bench.get(target, "/"));
    ProxyResponse response = bench.peer.response("r");
    assertEquals(ProxyResponse.BASE64, response.encoding());
    byte[] body = new byte[response.body().remaining()];
    response.body().get(body);
    assertArrayEquals(random, body);
  }

  @Test
  void contentEncodingPassesUntouched() throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write("text ".repeat(10_000).getBytes(StandardCharsets.UTF_8));
    }
    target =
        new Target(
            exchange -> {
              String head = exchange.head();
              assertTrue(head.contains("Accept-Encoding: gzip"));
              exchange.write(
                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
                      + "Content-Length: "
                      + packed.size()
                      + "\r\n\r\n");
              exchange.out.write(packed.toByteArray());
            });
    bench.peer.request("r", Bench.get(target, "/").headers(Headers.of("Accept-Encoding", "gzip")));
    ProxyResponse response = bench.peer.response("r");
    assertEquals("gzip", response.headers().first("Content-Encoding"));
    assertEquals(ProxyResponse.BASE64, response.encoding());
    byte[] body = new byte[response.body().remaining()];
    response.body().get(body);
    assertArrayEquals(packed.toByteArray(), body);
  }

  @ParameterizedTest
  @ValueSource(ints = {301, 307, 401, 404, 407, 410, 429, 500, 503})
  void everyStatusPasses(int status) throws Exception {
    ProxyResponse response =
        buffered(
            "HTTP/1.1 "
                + status
                + " X\r\nLocation: http://127.0.0.1:1/\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
                + "Retry-After: 7\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nno");
    assertEquals(status, response.status());
    assertEquals("7", response.headers().first("Retry-After"));
    assertEquals("http://127.0.0.1:1/", response.headers().first("Location"));
    assertEquals("Basic realm=\"x\"", response.headers().first("Www-Authenticate"));
    assertEquals(List.of("a=1", "b=2"), response.headers().values("Set-Cookie"));
    assertEquals("no", Peer.text(response.body()));
    assertEquals(1, target.connections.get());
    assertEquals(1, target.heads.size());
    bench.peer.request("again", Bench.get(target, "/"));
    bench.peer.awaitEnd("again");
    assertFalse(target.head().contains("Cookie"), "no cookie is kept");
  }

  @Test
  void hopByHopHeadersOfTheAnswerStay() throws Exception {
    ProxyResponse response =
        buffered(
            "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: x\r\n"
                + "Trailer: x\r\nTrailers: x\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\n"
                + "Proxy-Authorization: x\r\nTransfer-Encoding: chunked\r\nx-request-ID: 5\r\n\r\n"
                + "2\r\nok\r\n0\r\n\r\n");
    assertEquals(List.of("X-Request-Id"), List.copyOf(response.headers().all().keySet()));
    assertEquals("ok", Peer.text(response.body()));
  }

  @Test
  void answersWithoutBody() throws Exception {
    assertEquals(204, buffered("HTTP/1.1 204 No Content\r\n\r\n").status());
    bench.peer.forget();
    target.close();
    ProxyResponse unmodified =
        buffered("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n");
    assertEquals("500", unmodified.headers().first("Content-Length"));
    assertEquals("x", unmodified.headers().first("Etag"));
    bench.peer.forget();
    target.close();
    target = Target.answering("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    bench.peer.request("h", Bench.to(target, "HEAD", "/"));
    assertEquals("99999999", bench.peer.response("h").headers().first("Content-Length"));
    assertFalse(bench.peer.response("h").body().hasRemaining());
  }

  @ParameterizedTest
  @ValueSource(strings = {"100 Continue", "102 Processing", "103 Early Hints"})
  void interimAnswersAreSkipped(String interim) throws Exception {
    ProxyResponse response =
        buffered(
            "HTTP/1.1 "
                + interim
                + "\r\nLink: </x>\r\n\r\nHTTP/1.1 "
                + interim
                + "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assertEquals(200, response.status());
    assertEquals("ok", Peer.text(response.body()));
  }

  @Test
  void unaskedSwitchOfProtocolsFails() throws Exception {
    target = Target.answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").contains("switched to another protocol"));
  }

  @Test
  void bodyBeyondTheCapIsRefusedWithAClearText() throws Exception {
    target = Target.answering("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").contains("ask for a streamed response"));
    target.close();
    target =
        new Target(
            exchange -> {
              exchange.head();
              exchange.write("HTTP/1.1 200 OK\r\n\r\n");
              while (true) {
                exchange.out.write(new byte[10_000]);
              }
            });
    bench.peer.request("s", Bench.get(target, "/"));
    assertTrue(bench.peer.error("s").contains("ask for a streamed response"));
    assertEquals(2, bench.numbers.get("errors_total", "reason", "memory"));
  }

  @Test
  void theBudgetBoundsBufferedBodies() throws Exception {
    bench.close();
    bench = new Bench(Bench.bounds(256, 10, 1 << 20, 1 << 20, 100_000));
    target = Target.answering(of("application/octet-stream", "x".repeat(60_000)));
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").startsWith("no memory left"));
    bench.peer.request("s", Bench.get(target, "/").supportsResponseStreaming(true));
    bench.peer.awaitEnd("s");
    assertEquals(60_000, bench.peer.streamed("s").length);
  }

  @Test
  void streamedFormInOrder() throws Exception {
    streamed(
        exchange -> {
          exchange.head();
          exchange.ok("hello");
        });
    assertEquals(ProxyResponseEnd.TYPE, bench.peer.awaitEnd("r").type());
    assertEquals(
        List.of(ProxyResponseHeader.TYPE, ProxyResponseChunk.TYPE, ProxyResponseEnd.TYPE),
        bench.peer.all("r").stream().map(Message::type).toList());
    assertEquals("5", bench.peer.header("r").headers().first("Content-Length"));
    assertEquals("hello", new String(bench.peer.streamed("r"), StandardCharsets.UTF_8));
  }

  @Test
  void streamedFormWithoutBodyHasNoChunk() throws Exception {
    streamed(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        });
    bench.peer.awaitEnd("r");
    assertEquals(404, bench.peer.header("r").status());
    assertEquals(2, bench.peer.all("r").size());
  }

  @Test
  void everyPieceLeavesAsItComes() throws Exception {
    CountDownLatch[] seen = {new CountDownLatch(1), new CountDownLatch(1), new CountDownLatch(1)};
    streamed(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          seen[0].await(10, TimeUnit.SECONDS);
          exchange.write("3\r\none\r\n");
          seen[1].await(10, TimeUnit.SECONDS);
          exchange.write("3\r\ntwo\r\n");
          seen[2].await(10, TimeUnit.SECONDS);
          exchange.write("0\r\n\r\n");
        });
    bench.peer.header("r");
    seen[0].countDown();
    Bench.eventually(
        () -> new String(bench.peer.streamed("r"), StandardCharsets.UTF_8).equals("one"));
    seen[1].countDown();
    Bench.eventually(
        () -> new String(bench.peer.streamed("r"), StandardCharsets.UTF_8).equals("onetwo"));
    assertEquals(0, bench.peer.terminals("r"));
    seen[2].countDown();
    bench.peer.awaitEnd("r");
  }

  @Test
  void largeBodyArrivesWholeInBoundedChunks() throws Exception {
    byte[] data = new byte[5_000_001];
    new Random(2).nextBytes(data);
    streamed(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nContent-Length: " + data.length + "\r\n\r\n");
          exchange.out.write(data);
        });
    bench.peer.awaitEnd("r");
    assertArrayEquals(data, bench.peer.streamed("r"));
    for (Message message : bench.peer.all("r")) {
      if (message.type().equals(ProxyResponseChunk.TYPE)) {
        int size = ProxyResponseChunk.parse(message.payload()).data().remaining();
        assertTrue(size > 0 && size <= 32 << 10);
      }
    }
  }

  @Test
  void manySmallPiecesThatAreThereShareMessages() throws Exception {
    streamed(
        exchange -> {
          exchange.head();
          StringBuilder all =
              new StringBuilder("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          all.append("a\r\n0123456789\r\n".repeat(10_000)).append("0\r\n\r\n");
          exchange.write(all.toString());
        });
    bench.peer.awaitEnd("r");
    assertEquals(100_000, bench.peer.streamed("r").length);
    assertTrue(bench.peer.all("r").size() < 200, "" + bench.peer.all("r").size());
  }

  @Test
  void slowReaderHoldsTheTargetBack() throws Exception {
    long[] written = new long[1];
    bench.peer.room(3);
    streamed(
        exchange -> {
          exchange.socket.setSendBufferSize(16 << 10);
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n");
          for (int i = 0; i < 4000; i++) {
            exchange.out.write(new byte[10_000]);
            synchronized (written) {
              written[0] += 10_000;
            }
          }
        });
    bench.peer.header("r");
    Bench.eventually(() -> bench.peer.all("r").size() == 3);
    long before = -1;
    while (before != written(written)) {
      before = written(written);
      new CountDownLatch(1).await(200, TimeUnit.MILLISECONDS);
    }
    assertTrue(before < 20_000_000, "the target could write " + before);
    bench.peer.room(Long.MAX_VALUE);
    bench.peer.awaitEnd("r");
    assertEquals(40_000_000, bench.peer.streamed("r").length);
  }

  private static long written(long[] counter) {
    synchronized (counter) {
      return counter[0];
    }
  }

  @Test
  void connectionDelimitedBodyAndUtf8Header() throws Exception {
    ProxyResponse response =
        buffered("HTTP/1.1 200 OK\r\nX-Name: grün\r\nContent-Length: 1\r\n\r\nx");
    assertEquals("grün", response.headers().first("X-Name"));
    target.close();
    target =
        new Target(
            exchange -> {
              exchange.head();
              exchange.write("HTTP/1.0 200 OK\r\n\r\nuntil the end");
            });
    bench.peer.request("old", Bench.get(target, "/"));
    assertEquals("until the end", bench.peer.body("old"));
  }

  @Test
  void apiServerIsAskedOverOneConnection() throws Exception {
    target = Target.ok("x");
    bench.api(target);
    for (int i = 0; i < 20; i++) {
      bench.peer.request("r" + i, ProxyRequest.builder("GET", "/api"));
      bench.peer.awaitEnd("r" + i);
    }
    // The peer may ask again before the connection is back in the pool, so 1 is not certain.
    assertTrue(target.connections.get() <= 3, "connections: " + target.connections);
  }
}
