package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.agent.protocol.WebSocketStart;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** WebSockets of both kinds against a server on a real socket (protocol 4). */
class SocketTest {
  private static final String EXEC = "/api/v1/namespaces/demo/pods/web-0/exec";
  private static final String FORWARD = "/api/v1/namespaces/demo/pods/web-0/portforward";

  private Bench bench = new Bench();
  private Target target;
  private final BlockingQueue<SocketServer.Frame> seen = new LinkedBlockingQueue<>();
  private final BlockingQueue<SocketServer> servers = new LinkedBlockingQueue<>();

  @AfterEach
  void stop() throws Exception {
    bench.assertClean();
    bench.close();
    if (target != null) {
      target.close();
    }
  }

  /** Accepts sockets, keeps what comes, answers pings, and closes when closed. */
  private void serve(String more) throws Exception {
    listen(
        exchange -> {
          SocketServer server = SocketServer.accept(exchange, more);
          servers.add(server);
          while (true) {
            SocketServer.Frame frame = server.message(true);
            seen.add(frame);
            if (frame.opcode() == 8) {
              server.write(8, true, frame.payload());
              return;
            }
          }
        });
  }

  private void listen(Target.Script script) throws Exception {
    target = new Target(script);
    bench.tunnel.server(
        new Bench.Api(URI.create("http://127.0.0.1:" + target.port()), Optional.of("own")));
  }

  private SocketServer server() throws InterruptedException {
    SocketServer server = servers.poll(20, TimeUnit.SECONDS);
    assertTrue(server != null, "no socket was opened");
    return server;
  }

  private SocketServer.Frame frame() throws InterruptedException {
    SocketServer.Frame frame = seen.poll(20, TimeUnit.SECONDS);
    assertTrue(frame != null, "no frame came");
    return frame;
  }

  private static WebSocketStart start(String path, String protocol, Headers headers) {
    return new WebSocketStart("s", path, "stdin=true&tty=true", headers, protocol, "GET", "");
  }

  private static ByteBuffer bytes(int... values) {
    ByteBuffer out = ByteBuffer.allocate(values.length);
    for (int value : values) {
      out.put((byte) value);
    }
    return out.flip();
  }

  private static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private void send(int opcode, ByteBuffer payload) {
    bench.peer.deliver("s", WebSocketData.kubernetes("s", new TunnelFrame(opcode, payload)));
  }

  private void app(int opcode, ByteBuffer payload) {
    bench.peer.deliver("w", WebSocketData.application("w", new TunnelFrame(opcode, payload)));
  }

  private List<WebSocketData> frames(String id) throws Exception {
    List<WebSocketData> frames = new ArrayList<>();
    for (Message message : bench.peer.all(id)) {
      if (message.type().equals(WebSocketData.TYPE)) {
        frames.add(WebSocketData.parse(message.payload()));
      }
    }
    return frames;
  }

  private TunnelFrame awaitFrame(String id, int index) throws Exception {
    Bench.eventually(
        () ->
            bench.peer.all(id).stream().filter(m -> m.type().equals(WebSocketData.TYPE)).count()
                > index);
    return TunnelFrame.parse(frames(id).get(index).data());
  }

  private void awaitClose(String id) {
    bench.peer.await(id, m -> m.type().equals(WebSocketClose.TYPE));
    Bench.eventually(() -> bench.tunnel.streams().open() == 0);
    assertEquals(
        1, bench.peer.all(id).stream().filter(m -> m.type().equals(WebSocketClose.TYPE)).count());
  }

  private ProxyRequestBuilder application() {
    return Bench.get(target, "/ws").isWebSocket(true);
  }

  // The Kubernetes kind.

  @Test
  void terminalIsTranslated() throws Exception {
    serve("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n");
    bench.peer.deliver(
        "s", start(EXEC, "", Headers.of("authorization", "Bearer scoped").with("Origin", "x")));
    send(TunnelFrame.TEXT, text("ls\n"));
    SocketServer server = server();
    assertArrayEquals(new byte[] {0, 'l', 's', '\n'}, frame().payload());
    assertTrue(server.head.startsWith("GET " + EXEC + "?stdin=true&tty=true HTTP/1.1\r\n"));
    assertEquals("Bearer scoped", SocketServer.header(server.head, "Authorization"));
    assertEquals("x", SocketServer.header(server.head, "Origin"));
    assertEquals(
        "v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io",
        SocketServer.header(server.head, "Sec-WebSocket-Protocol"));
    send(TunnelFrame.BINARY, bytes(4, '{', '}'));
    SocketServer.Frame resize = frame();
    assertEquals(2, resize.opcode());
    assertArrayEquals(new byte[] {4, '{', '}'}, resize.payload());
    server.write(2, true, new byte[] {1, 'o', 'k', '\n'});
    server.write(2, true, new byte[] {3, 'x'});
    server.write(2, true, new byte[] {9, 'y'});
    server.text("plain");
    assertEquals(new TunnelFrame(1, text("ok\n")), awaitFrame("s", 0));
    assertEquals(new TunnelFrame(1, text("x")), awaitFrame("s", 1));
    assertEquals(new TunnelFrame(2, bytes(9, 'y')), awaitFrame("s", 2));
    assertEquals(new TunnelFrame(1, text("plain")), awaitFrame("s", 3));
    assertEquals("s", frames("s").getFirst().streamId());
    assertEquals("", frames("s").getFirst().requestId());
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
    assertEquals(1000, SocketServer.code(frame()));
    assertEquals(1, bench.numbers.get("requests_total", "target", "api"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"native", "raw", "portforward"})
  void channelsPassUntouchedForThoseWhoKnowThem(String how) throws Exception {
    String protocol =
        switch (how) {
          case "native" -> "v5.channel.k8s.io";
          case "portforward" -> "SPDY/3.1+portforward.k8s.io";
          default -> "v4.channel.k8s.io";
        };
    serve("Sec-WebSocket-Protocol: " + protocol + "\r\n");
    Headers headers = how.equals("raw") ? Headers.of("X-Tunnel-Channels", "raw") : Headers.EMPTY;
    bench.peer.deliver("s", start(how.equals("portforward") ? FORWARD : EXEC, protocol, headers));
    SocketServer server = server();
    assertFalse(server.head.contains("X-Tunnel"));
    server.write(2, true, new byte[] {1, 'o'});
    assertEquals(new TunnelFrame(2, bytes(1, 'o')), awaitFrame("s", 0));
    send(TunnelFrame.BINARY, bytes(0, 'i'));
    assertArrayEquals(new byte[] {0, 'i'}, frame().payload());
    send(TunnelFrame.TEXT, text("t"));
    assertArrayEquals(new byte[] {'t'}, frame().payload());
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void aPeerThatFramesItsInputGetsChannelsFromThenOn() throws Exception {
    serve("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n");
    bench.peer.deliver("s", start(EXEC, "v4.channel.k8s.io", Headers.EMPTY));
    send(TunnelFrame.BINARY, bytes(0, 'i'));
    frame();
    server().write(2, true, new byte[] {1, 'o'});
    assertEquals(new TunnelFrame(2, bytes(1, 'o')), awaitFrame("s", 0));
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void agentsTokenStandsInOnlyForStartMessages() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/pods", "", Headers.EMPTY));
    assertEquals("Bearer own", SocketServer.header(server().head, "Authorization"));
    bench.peer.request(
        "w", ProxyRequest.builder("GET", "/api/v1/pods").query("watch=1").isWebSocket(true));
    assertEquals("", SocketServer.header(server().head, "Authorization"));
    bench.peer.response("w");
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    bench.peer.deliver("w", WebSocketClose.kubernetes("w"));
    awaitClose("s");
    awaitClose("w");
  }

  @Test
  void badStartsAreAnswered() throws Exception {
    bench.peer.deliver("ws_start", "q", "{\"path\":\"/api\"}");
    assertEquals("missing stream_id", bench.peer.error("q"));
    for (String path :
        new String[] {
          "", "api/v1", "/apifoo", "/api/../x", "/api/%2e", "/x", "/api\\x", "/versionX"
        }) {
      bench.peer.forget();
      bench.peer.deliver("s", start(path, "", Headers.EMPTY));
      assertEquals("invalid path: must be a Kubernetes API path", bench.peer.error("s"));
      assertEquals(1, bench.peer.all().size(), "no close message: there was no stream");
    }
  }

  @Test
  void refusalOfTheApiIsTold() throws Exception {
    listen(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        });
    bench.peer.deliver("s", start("//api//v1/x", "", Headers.EMPTY));
    awaitClose("s");
    assertTrue(bench.peer.error("s").endsWith("(status: 403)"), bench.peer.error("s"));
    assertEquals(
        List.of(ProxyError.TYPE, WebSocketClose.TYPE),
        bench.peer.all("s").stream().map(Message::type).toList());
    assertEquals("s", ProxyError.parse(bench.peer.awaitEnd("s").payload()).requestId());
  }

  @Test
  void closeOfTheApiEndsTheStream() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    SocketServer server = server();
    server.text("last");
    server.close(1000);
    awaitClose("s");
    assertEquals(1, frames("s").size());
  }

  @Test
  void closeFrameOfThePeerIsPassedOn() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    send(TunnelFrame.CLOSE, bytes(0x0F, 0xA1, 'b', 'y', 'e'));
    SocketServer.Frame close = frame();
    assertEquals(4001, SocketServer.code(close));
    awaitClose("s");
  }

  @Test
  void secondStartClosesTheFirst() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/a", "", Headers.EMPTY));
    server();
    bench.peer.deliver("s", start("/api/v1/b", "", Headers.EMPTY));
    assertTrue(server().head.startsWith("GET /api/v1/b?"));
    bench.peer.await("s", m -> m.type().equals(WebSocketClose.TYPE));
    bench.peer.deliver("other", start("/api/v1/c", "", Headers.EMPTY));
    assertTrue(server().head.startsWith("GET /api/v1/c?"));
    bench.peer.deliver("x", WebSocketClose.kubernetes("s"));
    Bench.eventually(() -> bench.tunnel.streams().open() == 0);
    assertEquals(3, bench.peer.all("s").size(), "one close for each");
  }

  @Test
  void streamIsFoundByItsIdInThePayload() throws Exception {
    serve("");
    bench.peer.deliver("start-1", start("/api/v1/x", "", Headers.EMPTY));
    bench.peer.deliver(
        "data-1", WebSocketData.kubernetes("s", new TunnelFrame(TunnelFrame.TEXT, text("a"))));
    bench.peer.deliver(
        "proxy_websocket_data", "", "{\"request_id\":\"s\",\"stream_id\":\"?\",\"data\":\"AWI=\"}");
    assertEquals("a", frame().text());
    assertEquals("b", frame().text());
    bench.peer.deliver("close-1", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void orderAndContentOfManyMessages() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    for (int i = 0; i < 2000; i++) {
      send(TunnelFrame.BINARY, text("in" + i));
    }
    SocketServer server = server();
    for (int i = 0; i < 2000; i++) {
      server.write(2, true, ("out" + i).getBytes(StandardCharsets.UTF_8));
    }
    for (int i = 0; i < 2000; i++) {
      assertEquals("in" + i, frame().text());
    }
    awaitFrame("s", 1999);
    List<WebSocketData> out = frames("s");
    for (int i = 0; i < 2000; i++) {
      assertEquals("out" + i, Peer.text(TunnelFrame.parse(out.get(i).data()).payload()));
    }
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void fragmentsAndLargeFramesBecomeOneMessage() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    SocketServer server = server();
    byte[] large = new byte[500_000];
    new Random(1).nextBytes(large);
    server.write(2, true, large);
    server.write(1, false, "one".getBytes(StandardCharsets.UTF_8));
    server.write(9, true, "ping".getBytes(StandardCharsets.UTF_8));
    server.write(0, false, new byte[0]);
    server.write(0, true, "two".getBytes(StandardCharsets.UTF_8));
    assertEquals(new TunnelFrame(2, ByteBuffer.wrap(large)), awaitFrame("s", 0), "one large frame");
    assertEquals(new TunnelFrame(1, text("onetwo")), awaitFrame("s", 1));
    SocketServer.Frame pong = frame();
    assertEquals(10, pong.opcode());
    assertEquals("ping", pong.text());
    send(TunnelFrame.BINARY, ByteBuffer.wrap(large));
    SocketServer.Frame whole = frame();
    assertTrue(whole.fin(), "the API server joins no fragments");
    assertArrayEquals(large, whole.payload());
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void pongThatThePeerAskedForReachesIt() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    server();
    send(TunnelFrame.BINARY, bytes(1));
    send(TunnelFrame.PING, text("taken?"));
    assertEquals(2, frame().opcode());
    assertEquals(new TunnelFrame(TunnelFrame.PONG, text("taken?")), awaitFrame("s", 0));
    bench.peer.deliver("s", WebSocketClose.kubernetes("s"));
    awaitClose("s");
  }

  @Test
  void messageBeyondTheLimitCloses() throws Exception {
    serve("");
    bench.peer.deliver("s", start("/api/v1/x", "", Headers.EMPTY));
    SocketServer server = server();
    try {
      server.write(2, true, new byte[1_100_000]);
    } catch (java.io.IOException e) {
      // It may be closed before all is written.
    }
    awaitClose("s");
    bench.peer.await("s", m -> m.type().equals(ProxyError.TYPE));
  }

  // The application kind.

  @Test
  void applicationStream() throws Exception {
    serve("Sec-WebSocket-Protocol: graphql-ws\r\nX-Backend: 1\r\nSet-Cookie: a=b\r\n");
    bench.peer.request(
        "w",
        application()
            .query("x=|1")
            .headers(
                Headers.of("Host", "shop.example")
                    .with("Origin", "https://shop.example")
                    .with("Upgrade", "websocket")
                    .with("Connection", "Upgrade")
                    .with("Sec-WebSocket-Key", "peer")
                    .with("Sec-WebSocket-Version", "13")
                    .with("Sec-WebSocket-Extensions", "permessage-deflate")
                    .with("Sec-WebSocket-Protocol", "graphql-ws, other")
                    .with("Cookie", "c=d")));
    SocketServer server = server();
    ProxyResponse response = bench.peer.response("w");
    assertEquals(101, response.status());
    assertEquals("websocket", response.headers().first("Upgrade"));
    assertEquals("Upgrade", response.headers().first("Connection"));
    assertEquals("graphql-ws", response.headers().first("Sec-Websocket-Protocol"));
    assertEquals("1", response.headers().first("X-Backend"));
    assertTrue(server.head.startsWith("GET /ws?x=%7C1 HTTP/1.1\r\n"), server.head);
    assertEquals("shop.example", SocketServer.header(server.head, "Host"));
    assertEquals("https://shop.example", SocketServer.header(server.head, "Origin"));
    assertEquals("c=d", SocketServer.header(server.head, "Cookie"));
    assertEquals("graphql-ws, other", SocketServer.header(server.head, "Sec-WebSocket-Protocol"));
    assertFalse(server.head.contains("permessage-deflate"));
    assertFalse(SocketServer.header(server.head, "Sec-WebSocket-Key").equals("peer"));

    server.text("hi");
    WebSocketData data = null;
    awaitFrame("w", 0);
    data = frames("w").getFirst();
    assertEquals("w", data.requestId());
    assertEquals("w", data.streamId());
    assertEquals(1, data.messageType());
    assertEquals("hi", Peer.text(data.frame().payload()));

    app(TunnelFrame.TEXT, text("framed"));
    assertEquals("framed", frame().text());
    bench.peer.deliver("proxy_websocket_data", "w", "{\"data\":\"Cg==\",\"message_type\":2}");
    SocketServer.Frame newline = frame();
    assertEquals(2, newline.opcode());
    assertArrayEquals(new byte[] {'\n'}, newline.payload());
    bench.peer.deliver("proxy_stream_data", "w", "{\"data\":\"AQ==\"}");
    assertEquals("", frame().text());
    bench.peer.deliver("ws_data", "w", "{\"data\":\"CXBpbmc=\"}");
    bench.peer.deliver("ws_close", "other", "{\"request_id\":\"w\"}");
    awaitClose("w");
    assertEquals(1000, SocketServer.code(frame()));
    WebSocketClose close =
        WebSocketClose.parse(
            bench.peer.await("w", m -> m.type().equals(WebSocketClose.TYPE)).payload());
    assertEquals(WebSocketClose.application("w"), close);
  }

  @Test
  void streamedFormOfTheHandshake() throws Exception {
    serve("");
    bench.peer.request("w", application().protocol("chat").supportsResponseStreaming(true));
    assertEquals("chat", SocketServer.header(server().head, "Sec-WebSocket-Protocol"));
    bench.peer.await("w", m -> m.type().equals(ProxyResponseEnd.TYPE));
    assertEquals(101, bench.peer.header("w").status());
    bench.peer.cancel("w");
    awaitClose("w");
  }

  @Test
  void failedHandshakes() throws Exception {
    listen(
        exchange -> {
          exchange.head();
          exchange.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        });
    bench.peer.request("w", application());
    assertEquals(
        "service request failed: WebSocket handshake refused (status: 401)", bench.peer.error("w"));
    assertEquals(1, bench.peer.all("w").size());
    bench.peer.request("v", application().supportsResponseStreaming(true));
    assertTrue(bench.peer.error("v").endsWith("(status: 401)"));
    assertEquals(401, bench.peer.header("v").status());
    target.close();
    bench.peer.request("u", application().supportsResponseStreaming(true));
    assertEquals("service request failed: connection refused", bench.peer.error("u"));
    assertEquals(502, bench.peer.header("u").status());
    assertEquals(
        List.of(ProxyResponseHeader.TYPE, ProxyResponseAbort.TYPE),
        bench.peer.all("u").stream().map(Message::type).toList());
    bench.peer.request("t", ProxyRequest.builder("GET", "/ws").isWebSocket(true));
    assertEquals("missing service routing information for WebSocket", bench.peer.error("t"));
    bench.peer.request("p", ProxyRequest.builder("GET", "/ws").serviceName("x").isWebSocket(true));
    assertTrue(bench.peer.error("p").startsWith("incomplete"));
    bench.peer.request("n", application().serviceName("Bad"));
    assertEquals("invalid service name", bench.peer.error("n"));
  }

  @Test
  void backEndThatCloses() throws Exception {
    serve("");
    bench.peer.request("w", application());
    server().close(4000);
    awaitClose("w");
    target.close();
    servers.clear();
    listen(exchange -> SocketServer.accept(exchange, ""));
    bench.peer.request("v", application());
    awaitClose("v");
  }

  @Test
  void apiSocketByRequest() throws Exception {
    serve("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n");
    bench.peer.request(
        "w",
        ProxyRequest.builder("GET", EXEC)
            .query("command=sh")
            .headers(
                Headers.of("Authorization", "Bearer scoped")
                    .with("Sec-WebSocket-Protocol", "v4.channel.k8s.io")));
    SocketServer server = server();
    assertEquals("Bearer scoped", SocketServer.header(server.head, "Authorization"));
    assertEquals(101, bench.peer.response("w").status());
    server.write(2, true, new byte[] {1, 'x'});
    assertEquals(new TunnelFrame(1, text("x")), awaitFrame("w", 0));
    assertEquals("", frames("w").getFirst().requestId());
    bench.peer.deliver("w", WebSocketClose.kubernetes("w"));
    awaitClose("w");
  }

  @Test
  void lostLinkClosesTheBackEnd() throws Exception {
    serve("");
    bench.peer.request("w", application());
    server();
    bench.peer.response("w");
    bench.peer.lose();
    assertEquals(1000, SocketServer.code(frame()));
    assertEquals(1, bench.peer.all("w").size());
  }

  @Test
  void cancelDuringTheHandshake() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    listen(
        exchange -> {
          exchange.head();
          asked.countDown();
          exchange.awaitClose();
          closed.countDown();
        });
    bench.peer.request("w", application());
    assertTrue(asked.await(10, TimeUnit.SECONDS));
    bench.peer.cancel("w");
    assertEquals("request cancelled", bench.peer.error("w"));
    assertTrue(closed.await(10, TimeUnit.SECONDS));
  }

  @Test
  void inboxOverflowClosesOnlyItsStream() throws Exception {
    bench.close();
    bench = new Bench(Bench.bounds(256, 10, 1 << 20, 64 << 10, 64 << 20));
    CountDownLatch go = new CountDownLatch(1);
    listen(
        exchange -> {
          servers.add(SocketServer.accept(exchange, ""));
          go.await(20, TimeUnit.SECONDS);
        });
    bench.peer.request("w", application());
    server();
    bench.peer.response("w");
    for (int i = 0;
        i < 10_000 && bench.peer.all("w").stream().noneMatch(m -> m.type().equals("backpressure"));
        i++) {
      app(TunnelFrame.TEXT, ByteBuffer.wrap(new byte[10_000]));
    }
    bench.peer.await("w", m -> m.type().equals("backpressure"));
    bench.peer.await("w", m -> m.type().equals(WebSocketClose.TYPE));
    go.countDown();
  }

  @Test
  void slowLinkHoldsTheBackEndBack() throws Exception {
    long[] written = new long[1];
    listen(
        exchange -> {
          exchange.socket.setSendBufferSize(16 << 10);
          SocketServer server = SocketServer.accept(exchange, "");
          for (int i = 0; i < 2000; i++) {
            server.write(2, true, new byte[10_000]);
            synchronized (written) {
              written[0]++;
            }
          }
          server.close(1000);
          server.read();
        });
    bench.peer.room(5);
    bench.peer.request("w", application());
    awaitFrame("w", 3);
    long before = -1;
    while (true) {
      long now;
      synchronized (written) {
        now = written[0];
      }
      if (now == before) {
        break;
      }
      before = now;
      new CountDownLatch(1).await(200, TimeUnit.MILLISECONDS);
    }
    assertTrue(before < 1500, "the back end could write " + before);
    bench.peer.room(Long.MAX_VALUE);
    awaitClose("w");
    assertEquals(2000, frames("w").size());
  }

  @Test
  void silentBackEndIsClosedAfterItsMisses() throws Exception {
    bench.close();
    Settings s = Bench.settings();
    bench =
        new Bench(
            new Settings(
                s.drain(),
                10,
                10,
                s.answer(),
                s.request(),
                s.idle(),
                1024,
                1 << 20,
                64 << 20,
                1024,
                Duration.ofMillis(100),
                false,
                false));
    listen(
        exchange -> {
          SocketServer server = SocketServer.accept(exchange, "");
          servers.add(server);
          while (true) {
            SocketServer.Frame frame = server.message(false);
            seen.add(frame);
          }
        });
    bench.peer.request("w", application());
    SocketServer.Frame close = frame();
    assertEquals(1001, SocketServer.code(close));
    assertTrue(close.text().endsWith("ping timeout"));
    awaitClose("w");
    serve("");
    bench.peer.request("v", application());
    bench.peer.response("v");
    new CountDownLatch(1).await(1500, TimeUnit.MILLISECONDS);
    assertEquals(1, bench.tunnel.streams().open(), "pongs keep it");
    bench.peer.deliver("v", WebSocketClose.application("v"));
    awaitClose("v");
  }

  @Test
  void cutWhenTheFeatureStops() throws Exception {
    serve("");
    bench.peer.request("w", application());
    server();
    bench.peer.response("w");
    bench.tunnel.streams().all().forEach(stream -> stream.stop(Failure.stopped()));
    assertEquals(1001, SocketServer.code(frame()));
    awaitClose("w");
  }
}
