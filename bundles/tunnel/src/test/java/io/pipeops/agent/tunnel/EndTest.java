package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every way in which a stream can end, and that it does so once. */
class EndTest {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static final Duration SHORT = Duration.ofMillis(300);

  private Bench bench = new Bench();
  private Target target;
  private final CountDownLatch closed = new CountDownLatch(1);

  @AfterEach
  void stop() throws Exception {
    bench.assertClean();
    bench.close();
    if (target != null) {
      target.close();
    }
  }

  private void start(Settings settings, Target.Script script) throws IOException {
    bench.close();
    bench = new Bench(settings);
    target = new Target(script);
    bench.api(target);
  }

  private void start(Target.Script script) throws IOException {
    start(Bench.settings(), script);
  }

  private void silent(Target.Exchange exchange) throws IOException {
    exchange.head();
    while (!exchange.awaitClose()) {
      continue;
    }
    closed.countDown();
  }

  private void assertClosed() throws InterruptedException {
    assertTrue(closed.await(10, TimeUnit.SECONDS), "the target call is broken off");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void cancelWhileTheTargetIsSilent(boolean streamed) throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    start(
        exchange -> {
          exchange.head();
          asked.countDown();
          exchange.awaitClose();
          closed.countDown();
        });
    bench.peer.request("r", Bench.get(target, "/").supportsResponseStreaming(streamed));
    assertTrue(asked.await(10, TimeUnit.SECONDS));
    bench.peer.cancel("r");
    assertEquals("request cancelled", bench.peer.error("r"));
    assertClosed();
    bench.peer.cancel("r");
    assertEquals(1, bench.numbers.get("cancelled_total"));
    assertEquals(1, bench.peer.all("r").size());
  }

  @Test
  void cancelInTheMiddleOfAnAnswer() throws Exception {
    start(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
          exchange.awaitClose();
          closed.countDown();
        });
    bench.peer.request("r", Bench.get(target, "/").supportsResponseStreaming(true));
    Bench.eventually(() -> bench.peer.streamed("r").length == 3);
    bench.peer.cancel("r");
    assertEquals("request cancelled", bench.peer.error("r"));
    assertClosed();
  }

  @Test
  void cancelWhileTheLinkIsStuck() throws Exception {
    start(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\n\r\n");
          try {
            while (true) {
              exchange.out.write(new byte[10_000]);
            }
          } catch (IOException e) {
            closed.countDown();
          }
        });
    bench.peer.room(2);
    bench.peer.request("r", Bench.get(target, "/").supportsResponseStreaming(true));
    Bench.eventually(() -> bench.peer.all("r").size() == 2);
    bench.peer.cancel("r");
    assertClosed();
    assertEquals(0, bench.peer.terminals("r"));
    bench.peer.room(Long.MAX_VALUE);
    assertEquals("request cancelled", bench.peer.error("r"));
  }

  @Test
  void cancelDuringTheUpload() throws Exception {
    start(this::silent);
    bench.peer.request("r", Bench.to(target, "POST", "/").useStreaming(true));
    bench.peer.chunk("r", "x");
    Bench.eventually(() -> target.connections.get() == 1);
    bench.peer.cancel("r");
    assertEquals("request cancelled", bench.peer.error("r"));
    bench.peer.chunk("r", "late");
    assertEquals(1, bench.peer.all("r").size());
  }

  @Test
  void cancelWhileWaitingForItsTurn() throws Exception {
    start(Bench.bounds(1, 1, 1024, 1024, 1 << 20), this::silent);
    bench.peer.request("first", Bench.get(target, "/"));
    bench.peer.request("second", Bench.get(target, "/"));
    bench.peer.request("third", Bench.get(target, "/"));
    assertTrue(bench.peer.error("third").startsWith("too many requests"));
    bench.peer.cancel("second");
    assertEquals("request cancelled", bench.peer.error("second"));
    bench.peer.cancel("first");
    bench.peer.awaitEnd("first");
    assertEquals(1, bench.numbers.get("errors_total", "reason", "busy"));
  }

  @Test
  void waitingRequestsAreServedInOrder() throws Exception {
    StringBuffer order = new StringBuffer();
    CountDownLatch go = new CountDownLatch(1);
    start(
        Bench.bounds(1, 100, 1024, 1024, 1 << 20),
        exchange -> {
          while (true) {
            String head = exchange.head();
            if (head.isEmpty()) {
              return;
            }
            go.await(10, TimeUnit.SECONDS);
            order.append(head, 5, 6);
            exchange.ok("x");
          }
        });
    for (char c = 'a'; c <= 'z'; c++) {
      bench.peer.request("r" + c, Bench.get(target, "/" + c));
    }
    assertEquals(26, bench.numbers.gauges.get("active_streams[]").getAsDouble());
    go.countDown();
    bench.peer.awaitEnd("rz");
    assertEquals("abcdefghijklmnopqrstuvwxyz", order.toString());
  }

  @Test
  void lostLinkEndsEverythingSilently() throws Exception {
    AtomicInteger over = new AtomicInteger();
    CountDownLatch asked = new CountDownLatch(10);
    start(
        exchange -> {
          exchange.head();
          asked.countDown();
          exchange.awaitClose();
          over.incrementAndGet();
        });
    for (int i = 0; i < 10; i++) {
      bench.peer.request("r" + i, Bench.get(target, "/").supportsResponseStreaming(i % 2 == 0));
    }
    assertTrue(asked.await(20, TimeUnit.SECONDS));
    bench.peer.lose();
    Bench.eventually(() -> over.get() == 10);
    Bench.eventually(() -> bench.tunnel.streams().open() == 0);
    assertEquals(0, bench.peer.all().size());
  }

  @Test
  void deadlineAndTimeout() throws Exception {
    start(this::silent);
    bench.peer.request("a", Bench.get(target, "/").timeout(SHORT));
    bench.peer.request("b", Bench.get(target, "/").deadline(Instant.now().plus(SHORT)));
    bench.peer.request("c", Bench.get(target, "/").deadline(Instant.now().minusSeconds(5)));
    bench.peer.request(
        "d",
        Bench.get(target, "/")
            .supportsResponseStreaming(true)
            .deadline(Instant.now().plus(SHORT))
            .timeout(LONG));
    for (String id : new String[] {"a", "b", "c", "d"}) {
      assertEquals("context deadline exceeded", bench.peer.error(id));
    }
    assertEquals(ProxyResponseAbort.TYPE, bench.peer.awaitEnd("d").type());
    assertEquals(4, bench.numbers.get("errors_total", "reason", "timeout"));
    assertClosed();
  }

  @Test
  void deadlineInTheMiddleOfAnAnswer() throws Exception {
    start(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\n\r\nsome");
          exchange.awaitClose();
          closed.countDown();
        });
    bench.peer.request("r", Bench.get(target, "/").supportsResponseStreaming(true).timeout(SHORT));
    assertEquals("context deadline exceeded", bench.peer.error("r"));
    assertEquals("some", new String(bench.peer.streamed("r")));
    assertClosed();
  }

  @Test
  void defaultLimitOfABufferedRequestAndIdleLimitOfAStreamedOne() throws Exception {
    start(
        Bench.limits(LONG, SHORT, SHORT),
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\n\r\nsome");
          exchange.awaitClose();
        });
    bench.peer.request("r", Bench.get(target, "/"));
    assertEquals("context deadline exceeded", bench.peer.error("r"));
    bench.peer.request("s", Bench.get(target, "/").supportsResponseStreaming(true));
    assertTrue(bench.peer.error("s").startsWith("context deadline exceeded: nothing came"));
  }

  @Test
  void watchesAndFollowedLogsMayBeSilent() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    start(
        Bench.limits(SHORT, SHORT, SHORT),
        exchange -> {
          String head = exchange.head();
          go.await(10, TimeUnit.SECONDS);
          exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          assertFalse(head.isEmpty());
          new CountDownLatch(1).await(600, TimeUnit.MILLISECONDS);
          exchange.write("2\r\nhi\r\n0\r\n\r\n");
        });
    String[] queries = {"watch=true", "a=b&watch=1", "follow=true"};
    for (String query : queries) {
      bench.peer.request(
          query,
          ProxyRequest.builder("GET", "/api/v1/pods").query(query).supportsResponseStreaming(true));
    }
    bench.peer.request(
        "plain",
        ProxyRequest.builder("GET", "/api/v1/pods")
            .query("watch=false")
            .supportsResponseStreaming(true));
    assertTrue(bench.peer.error("plain").contains("no answer within"));
    go.countDown();
    for (String query : queries) {
      bench.peer.awaitEnd(query);
      assertEquals("hi", new String(bench.peer.streamed(query)));
    }
  }

  @Test
  void answerLimit() throws Exception {
    start(Bench.limits(SHORT, LONG, LONG), this::silent);
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").startsWith("service request failed: no answer within"));
    bench.peer.request("s", ProxyRequest.builder("GET", "/api").timeout(LONG));
    assertTrue(bench.peer.error("s").startsWith("kubernetes API request failed: no answer within"));
    assertClosed();
  }

  @Test
  void aSlowUploadDoesNotCountAsSilence() throws Exception {
    start(
        Bench.limits(SHORT, LONG, LONG),
        exchange -> {
          String head = exchange.head();
          exchange.ok(exchange.body(head));
        });
    bench.peer.request("r", Bench.to(target, "POST", "/").useStreaming(true));
    for (int i = 0; i < 4; i++) {
      bench.peer.chunk("r", "x");
      new CountDownLatch(1).await(200, TimeUnit.MILLISECONDS);
    }
    bench.peer.endBody("r");
    assertEquals("xxxx", bench.peer.body("r"));
  }

  @Test
  void unreachableTargets() throws Exception {
    int port;
    try (ServerSocket unused = new ServerSocket(0)) {
      port = unused.getLocalPort();
    }
    ProxyRequestBuilder request =
        ProxyRequest.builder("GET", "/").serviceName("web").namespace("d").servicePort(port);
    bench.peer.request("r", request);
    assertEquals("service request failed: connection refused", bench.peer.error("r"));
    bench.peer.request("s", request.serviceName("nowhere").supportsResponseStreaming(true));
    assertEquals(
        "service request failed: no such host nowhere.d.svc.cluster.local", bench.peer.error("s"));
    bench.peer.request("t", ProxyRequest.builder("GET", "/api"));
    assertEquals("kubernetes API request failed: connection refused", bench.peer.error("t"));
    assertEquals(3, bench.numbers.get("errors_total", "reason", "unreachable"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "SSH-2.0-OpenSSH\r\n"
      })
  void targetsThatDieOrSpeakNonsense(String answer) throws Exception {
    start(
        exchange -> {
          exchange.head();
          exchange.write(answer);
        });
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").startsWith("service request failed: "));
    bench.peer.request("s", Bench.get(target, "/").supportsResponseStreaming(true));
    assertTrue(bench.peer.error("s").startsWith("service request failed: "));
  }

  @Test
  void aConnectionThatDiedInThePoolIsNoFailure() throws Exception {
    AtomicInteger served = new AtomicInteger();
    List<String> heads = new CopyOnWriteArrayList<>();
    start(
        exchange -> {
          heads.add(exchange.head());
          exchange.ok("" + served.incrementAndGet());
          // The next request meets a connection that is closed without an answer.
          heads.add(exchange.head());
        });
    for (int i = 1; i <= 5; i++) {
      bench.peer.request("r" + i, Bench.get(target, "/"));
      assertEquals("" + i, bench.peer.body("r" + i));
    }
    // One that is sent before the pool has the last connection back gets a new one, and an answer.
    int posts = 0;
    Message end;
    do {
      String id = "post" + ++posts;
      bench.peer.request(id, Bench.to(target, "POST", "/" + id));
      end = bench.peer.awaitEnd(id);
    } while (!end.type().equals(ProxyError.TYPE) && posts < 100);
    assertTrue(bench.peer.error("post" + posts).contains("closed by the target"));
    assertEquals(
        posts, heads.stream().filter(head -> head.startsWith("POST")).count(), "each came once");
  }

  @Test
  void aPoolFullOfDeadConnectionsIsNoFailure() throws Exception {
    CyclicBarrier together = new CyclicBarrier(3);
    AtomicInteger met = new AtomicInteger();
    start(
        exchange -> {
          exchange.head();
          if (met.incrementAndGet() <= 3) {
            together.await(10, TimeUnit.SECONDS);
          }
          exchange.ok("served");
          exchange.head();
        });
    for (String id : List.of("a", "b", "c")) {
      bench.peer.request(id, Bench.get(target, "/"));
    }
    for (String id : List.of("a", "b", "c")) {
      assertEquals("served", bench.peer.body(id));
    }
    bench.peer.request("r", Bench.get(target, "/"));
    assertEquals("served", bench.peer.body("r"));
  }

  @Test
  void whatDiesWithoutEverHavingAnsweredIsAskedOnceMore() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    start(
        exchange -> {
          exchange.head();
          asked.incrementAndGet();
        });
    bench.peer.request("r", Bench.get(target, "/"));
    assertEquals("service request failed: connection closed by the target", bench.peer.error("r"));
    assertEquals(2, asked.get());
    assertEquals(1, bench.numbers.get("repeated_total"));
  }

  @Test
  void hugeHeadersOfATargetFail() throws Exception {
    start(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 200 OK\r\nX-A: " + "a".repeat(300_000) + "\r\n\r\n");
        });
    bench.peer.request("r", Bench.get(target, "/"));
    assertTrue(bench.peer.error("r").startsWith("service request failed"));
  }

  @Test
  void largeRequestHeadersPass() throws Exception {
    target = Target.ok("ok");
    bench.peer.request(
        "r", Bench.get(target, "/").headers(Headers.of("Cookie", "a".repeat(60_000))));
    assertEquals("ok", bench.peer.body("r"));
    assertTrue(target.head().length() > 60_000);
  }

  /** Cancel, end of body, broken body, death of the target and a deadline, all at the same time. */
  @Test
  void exactlyOneTerminalMessageWhateverRaces() throws Exception {
    CyclicBarrier together = new CyclicBarrier(3);
    start(
        exchange -> {
          while (true) {
            String head = exchange.head();
            if (head.isEmpty()) {
              return;
            }
            if (head.contains("/slow")) {
              exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
              together.await(10, TimeUnit.SECONDS);
              exchange.write("def");
            } else {
              together.await(10, TimeUnit.SECONDS);
              return;
            }
          }
        });
    for (int i = 0; i < 150; i++) {
      String id = "r" + i;
      boolean streamed = i % 2 == 0;
      bench.peer.request(
          id,
          Bench.to(target, "POST", i % 3 == 0 ? "/die" : "/slow")
              .useStreaming(true)
              .supportsResponseStreaming(streamed)
              .timeout(i % 5 == 0 ? Duration.ofMillis(3) : LONG));
      int turn = i;
      Thread other =
          Thread.startVirtualThread(
              () -> {
                try {
                  together.await(1, TimeUnit.SECONDS);
                } catch (Exception e) {
                  // The deadline was first, so the target was never asked.
                }
                bench.peer.cancel(id);
              });
      try {
        together.await(1, TimeUnit.SECONDS);
      } catch (Exception e) {
        together.reset();
      }
      if (turn % 4 == 0) {
        bench.peer.deliver("proxy_request_chunk", id, "{\"data\":\"*\"}");
      } else {
        bench.peer.endBody(id);
      }
      bench.peer.awaitEnd(id);
      other.join();
      bench.assertClean();
      together.reset();
    }
    for (int i = 0; i < 150; i++) {
      assertEquals(1, bench.peer.terminals("r" + i), "stream " + i);
    }
  }
}
