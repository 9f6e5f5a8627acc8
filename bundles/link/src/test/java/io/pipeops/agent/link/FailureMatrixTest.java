package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.link.LinkSettings.Peer;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.Pong;
import io.pipeops.agent.protocol.ProtocolFallback;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes wrong between the two sides, each over a real socket (protocol 1.17). */
@Timeout(180)
class FailureMatrixTest {
  private ScriptedPeer controller;
  private final TestLink link = new TestLink();
  private final BlockingQueue<Message> handled = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> lost = new LinkedBlockingQueue<>();

  @BeforeEach
  void start() throws Exception {
    controller = new ScriptedPeer();
  }

  @AfterEach
  void stop() throws Exception {
    link.close();
    controller.close();
  }

  private ScriptedPeer.Peer connected() throws Exception {
    return connected(TestLink.settings(controller.url()));
  }

  private ScriptedPeer.Peer connected(LinkSettings settings) throws Exception {
    link.start(settings);
    var peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    return peer;
  }

  private void handler(String type, LinkHandler handler) {
    link.runtime.handlers().put(handler, handler, Map.of(LinkHandler.TYPES, type));
  }

  private final class Stream implements StreamReceiver {
    @Override
    public void receive(Message message) {
      handled.add(message);
    }

    @Override
    public void lost(String reason) {
      lost.add(reason);
    }
  }

  private LinkSettings with(Timing timing, Limits limits) {
    return new LinkSettings(TestLink.peer(controller.url()), timing, limits, TestLink.RESUME);
  }

  private static Timing timing(Duration handshake, Duration ping, Duration read) {
    Timing t = TestLink.timing();
    return new Timing(
        handshake,
        ping,
        read,
        t.reconnect(),
        t.reconnectMax(),
        t.gatewayAttempts(),
        t.standby(),
        t.register(),
        t.registerMax(),
        t.stateWait(),
        t.handOver(),
        t.standbyCheck());
  }

  @Test
  void comesUpWhenTheControllerDoes() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    link.start("http://localhost:" + port);
    link.await(s -> s.reason().contains("refused"));
    assertFalse(link.status().connected());
    try (ScriptedPeer late =
        new ScriptedPeer(javax.net.ServerSocketFactory.getDefault(), false, port)) {
      late.next().acceptRegistration("c-1", "");
      link.await(LinkState.CONNECTED);
      link.close();
    }
  }

  @Test
  void saysThatAHostNameIsWrong() {
    link.start("http://no-such-host.invalid");
    link.await(s -> s.reason().contains("cannot be resolved"));
  }

  @ParameterizedTest
  @ValueSource(ints = {401, 403})
  void asksSlowlyWhenTheTokenIsRefused(int status) throws Exception {
    controller.answer =
        request -> ScriptedPeer.refusal(status, "bad " + TestLink.TOKEN + "\r\nInjected: yes");
    link.start(controller.url());
    var refused = link.await(s -> s.reason().contains("HTTP " + status));
    assertTrue(refused.reason().contains("link.token_file"), refused::reason);
    assertFalse(refused.reason().contains(TestLink.TOKEN), refused::reason);
    assertFalse(refused.reason().contains("\n"), refused::reason);
    controller.answer = request -> "";
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @ParameterizedTest
  @ValueSource(ints = {200, 301, 400, 404, 429, 500, 502, 503})
  void triesAgainAfterAnyOtherRefusal(int status) throws Exception {
    controller.answer = request -> ScriptedPeer.refusal(status, "{\"error\":\"not now\"}");
    link.start(controller.url());
    link.await(s -> s.reason().contains("HTTP " + status + ": not now"));
    controller.answer = request -> "";
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void givesUpAnUpgradeThatIsNotAnswered() throws Exception {
    controller.answer = request -> null;
    link.start(
        with(
            timing(Duration.ofMillis(300), Duration.ofSeconds(1), Duration.ofSeconds(5)),
            TestLink.limits()));
    link.await(s -> s.reason().contains("no answer within 300 ms"));
    controller.answer = request -> "";
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void refusesAnUpgradeWithAWrongKey() throws Exception {
    controller.answer =
        request ->
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: wrong\r\n\r\n";
    link.start(controller.url());
    link.await(s -> !s.reason().isEmpty() && s.reason().startsWith("cannot reach"));
    controller.answer = request -> "";
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @ParameterizedTest
  @ValueSource(
      ints = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999})
  void comesBackAfterEveryCloseCode(int code) throws Exception {
    var peer = connected();
    peer.close(code, "go\r\naway");
    assertEquals(code, peer.closeCode());
    controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
    assertTrue(
        link.history.stream().anyMatch(s -> s.reason().contains("code " + code + ": go  away")),
        link.history::toString);
  }

  @Test
  void comesBackWhenThePeerDiesInTheMiddleOfAFrame() throws Exception {
    handler(
        "proxy_request",
        (message, reply) -> assertTrue(reply.claim(message.requestId(), new Stream())));
    var peer = connected();
    peer.text("{\"type\":\"proxy_request\",\"request_id\":\"r1\",\"payload\":{}}");
    peer.raw(new byte[] {(byte) 0x81, 126, 4, 0, '{', '"'});
    peer.cut();
    assertNotNull(lost.poll(60, TimeUnit.SECONDS));
    controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
    assertTrue(lost.isEmpty(), "told more than once");
  }

  @Test
  void noticesAPeerThatWentSilent() throws Exception {
    var peer =
        connected(
            with(
                timing(Duration.ofSeconds(5), Duration.ofMillis(100), Duration.ofMillis(500)),
                TestLink.limits()));
    assertNotNull(peer.pings.poll(60, TimeUnit.SECONDS));
    peer.answerPings = false;
    controller.next();
    TestLink.await(
        () -> link.history.stream().anyMatch(s -> s.reason().contains("no frame from the peer")),
        link.history::toString);
  }

  @Test
  void staysWithAPeerThatOnlyAnswersPings() throws Exception {
    var peer =
        connected(
            with(
                timing(Duration.ofSeconds(5), Duration.ofMillis(50), Duration.ofMillis(300)),
                TestLink.limits()));
    for (int i = 0; i < 20; i++) {
      assertNotNull(peer.pings.poll(60, TimeUnit.SECONDS));
    }
    assertTrue(link.status().connected());
    assertEquals(1, controller.requests.size());
  }

  @Test
  void answersBothFormsOfPing() throws Exception {
    var peer = connected();
    peer.frame(0x89, new byte[] {1, 2, 3});
    assertEquals(3, peer.pongs.poll(60, TimeUnit.SECONDS).data().length);
    peer.send("p-9", new Ping());
    Message pong = peer.expect("pong");
    assertEquals("p-9", pong.requestId());
    assertFalse(Pong.parse(pong.payload()).timestamp().isEmpty());
    peer.send("", new Ping());
    assertEquals("", peer.expect("pong").requestId());
  }

  @Test
  void ignoresGarbageAndTakesJsonInBinaryMessages() throws Exception {
    var peer = connected();
    peer.text("");
    peer.text("{");
    peer.text("[]");
    peer.text("null");
    peer.text("{\"type\":7}");
    peer.text("{\"type\":\"\"}");
    peer.text("{\"type\":\"ping\",\"payload\":[1]}");
    peer.text("{\"type\":\"register_success\",\"payload\":{\"cluster_id\":{}}}");
    peer.text("{\"type\":\"error\",\"payload\":{\"error\":[\"not registered\"]}}");
    peer.frame(0x81, new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    peer.binary(new byte[] {0, 1, 2, 3});
    peer.binary(
        "{\"type\":\"ping\",\"request_id\":\"b\"}"
            .getBytes(java.nio.charset.StandardCharsets.UTF_8));
    assertEquals("b", peer.expect("pong").requestId());
    assertTrue(link.status().connected());
    assertEquals(9, link.metrics.count("pipeops_agent_link_invalid_messages_total"));
  }

  @Test
  void closesOnAMessageThatIsTooLong() throws Exception {
    Limits l = TestLink.limits();
    Limits small =
        new Limits(
            1 << 20, l.sendBudget(), l.sendStream(), l.hold(), l.holdMessages(), l.holdBytes());
    var peer = connected(with(TestLink.timing(), small));
    byte[] part = new byte[300 << 10];
    peer.frame(0x02, part);
    peer.frame(0x00, part);
    peer.frame(0x00, part);
    peer.frame(0x80, part);
    assertEquals(1009, peer.closeCode());
    controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
  }

  @Test
  void survivesAMessageOf100Megabytes() throws Exception {
    var peer = connected();
    byte[] mega = new byte[1 << 20];
    // Announced in one frame, so that an eager reader would allocate it all.
    peer.raw(new byte[] {(byte) 0x82, 127, 0, 0, 0, 0, 0x06, 0x40, 0, 0});
    assertThrows(
        java.io.IOException.class,
        () -> {
          for (int i = 0; i < 100; i++) {
            peer.raw(mega);
          }
        });
    controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
  }

  @Test
  void takesALargeMessageInManyFragments() throws Exception {
    handler("x.big", (message, reply) -> handled.add(message));
    var peer = connected();
    String text = "a".repeat(3_000_000);
    byte[] json =
        ("{\"type\":\"x.big\",\"payload\":{\"t\":\"" + text + "\"}}")
            .getBytes(java.nio.charset.StandardCharsets.UTF_8);
    int at = 0;
    for (int size = 1; at < json.length; size = size * 3 + 1) {
      int end = Math.min(json.length, at + size);
      boolean last = end == json.length;
      peer.frame(
          (last ? 0x80 : 0) | (at == 0 ? 1 : 0), java.util.Arrays.copyOfRange(json, at, end));
      at = end;
    }
    Message message = handled.poll(60, TimeUnit.SECONDS);
    assertEquals(text.length() + 8, message.payload().length());
    peer.text("{\"type\":\"x.big\",\"payload\":{\"t\":\"next\"}}");
    assertEquals("{\"t\":\"next\"}", handled.poll(60, TimeUnit.SECONDS).payload().toString());
    assertTrue(message.payload().toString().endsWith("aaa\"}"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ff05",
        "8b00",
        "c100",
        "0900",
        "82ff00000000000000000000",
        "817f8000000000000001ff"
      })
  void comesBackAfterABrokenFrame(String hex) throws Exception {
    var peer = connected();
    byte[] frame = java.util.HexFormat.of().parseHex(hex);
    // In one piece, for the agent may have gone before a second one.
    peer.raw(java.util.Arrays.copyOf(frame, frame.length + 64));
    controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
  }

  @Test
  void tellsOncePerUnknownType() throws Exception {
    var peer = connected();
    peer.text("{\"type\":\"proxy_future\",\"request_id\":\"u-1\"}");
    peer.text("{\"type\":\"proxy_future\",\"request_id\":\"u-2\"}");
    Message fallback = peer.expect("protocol_fallback");
    ProtocolFallback parsed = ProtocolFallback.parse(fallback.payload());
    assertEquals("proxy_future", parsed.unknownType());
    assertEquals("u-1", parsed.originalRequestId());
    assertEquals("legacy_proxy", parsed.fallbackMode());
    for (int i = 0; i < 300; i++) {
      peer.text("{\"type\":\"u" + i + "\"}");
    }
    peer.text("{\"type\":\"ping\"}");
    int answers = 0;
    while (!new String(peer.receive().data(), java.nio.charset.StandardCharsets.UTF_8)
        .contains("\"type\":\"pong\"")) {
      answers++;
    }
    assertEquals(UnknownTypes.REMEMBERED - 1, answers);
    assertEquals(302, link.metrics.count("pipeops_agent_link_unknown_messages_total"));
    peer.cut();
    var next = controller.next();
    next.text("{\"type\":\"proxy_future\"}");
    next.text("{\"type\":\"ping\",\"request_id\":\"p\"}");
    assertEquals("p", next.expect("pong").requestId());
  }

  @Test
  void onlyLogsOtherErrorsAndAcks() throws Exception {
    var peer = connected();
    peer.text("{\"type\":\"error\",\"payload\":{\"error\":\"something else\"}}");
    peer.text("{\"type\":\"heartbeat_ack\",\"payload\":{}}");
    peer.text("{\"type\":\"pong\"}");
    peer.text("{\"type\":\"gateway_hello\",\"payload\":{\"use_yamux\":false}}");
    peer.text("{\"type\":\"register_in_progress\",\"request_id\":\"x\"}");
    peer.text("{\"type\":\"ping\",\"request_id\":\"p\"}");
    assertEquals("p", peer.expect("pong").requestId());
    assertTrue(link.status().connected());
  }

  @Test
  void theOldConnectionCannotAnswerAnyMore() throws Exception {
    BlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    handler("x.go", (message, reply) -> replies.add(reply));
    var peer = connected();
    peer.text("{\"type\":\"x.go\"}");
    Reply reply = replies.poll(60, TimeUnit.SECONDS);
    reply.send(Outgoing.text(Priority.BULK, "s", "{\"type\":\"a\"}"));
    peer.expect("a");
    peer.cut();
    var next = controller.next();
    link.await(LinkState.CONNECTED);
    assertFalse(reply.connected());
    assertFalse(reply.offer(Outgoing.text(Priority.CONTROL, "s", "{}")));
    assertFalse(reply.claim("k", new Stream()));
    assertThrows(
        LinkLostException.class, () -> reply.send(Outgoing.text(Priority.BULK, "s", "{}")));
    link.runtime.deliver(
        Outgoing.text(Priority.CONTROL, "", "{\"type\":\"b\"}"), Duration.ofSeconds(5));
    next.expect("b");
  }

  @Test
  void readsTheTokenFileAtEachConnect(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("token");
    Peer p = TestLink.peer(controller.url());
    Peer filed =
        new Peer(
            p.url(), true, "", file.toString(), "lab", "", Map.of(), p.tls(), "", List.of(), "1");
    link.start(new LinkSettings(filed, TestLink.timing(), TestLink.limits(), TestLink.RESUME));
    link.await(s -> s.reason().contains("link.token_file cannot be read"));
    Files.writeString(file, "first\n");
    var peer = controller.next();
    assertEquals("Bearer first", peer.request.headers().get("authorization"));
    peer.acceptRegistration("c-1", "");
    Files.writeString(file, "second");
    peer.cut();
    assertEquals("Bearer second", controller.next().request.headers().get("authorization"));
  }

  @Test
  void neverConnectsWithoutTheSettingsItNeeds() {
    Peer p = TestLink.peer("");
    link.start(new LinkSettings(p, TestLink.timing(), TestLink.limits(), TestLink.RESUME));
    assertTrue(link.status().reason().contains("link.url"), link.status()::reason);
    assertEquals(LinkState.DISCONNECTED, link.status().state());
    Peer clear =
        new Peer("http://x.test", false, "t", "", "lab", "", Map.of(), p.tls(), "", List.of(), "1");
    link.start(new LinkSettings(clear, TestLink.timing(), TestLink.limits(), TestLink.RESUME));
    assertTrue(link.status().reason().contains("link.insecure"), link.status()::reason);
    Peer nameless =
        new Peer("https://x.test", false, "t", "", "", "", Map.of(), p.tls(), "", List.of(), "1");
    link.start(new LinkSettings(nameless, TestLink.timing(), TestLink.limits(), TestLink.RESUME));
    assertTrue(link.status().reason().contains("link.cluster_name"), link.status()::reason);
    Peer tokenless =
        new Peer("https://x.test", false, "", "", "l", "", Map.of(), p.tls(), "", List.of(), "1");
    link.start(new LinkSettings(tokenless, TestLink.timing(), TestLink.limits(), TestLink.RESUME));
    assertTrue(link.status().reason().contains("link.token"), link.status()::reason);
    assertThrows(
        LinkLostException.class,
        () ->
            link.runtime.deliver(Outgoing.text(Priority.CONTROL, "", "{}"), Duration.ofSeconds(1)));
  }

  @Test
  void keepsTheConnectionWhenOnlyTimesChange() throws Exception {
    var peer = connected();
    link.start(
        with(
            timing(Duration.ofSeconds(9), Duration.ofSeconds(1), Duration.ofSeconds(9)),
            TestLink.limits()));
    peer.text("{\"type\":\"ping\",\"request_id\":\"p\"}");
    assertEquals("p", peer.expect("pong").requestId());
    assertEquals(1, controller.requests.size());
    try (ScriptedPeer other = new ScriptedPeer()) {
      link.start(other.url());
      assertEquals(1001, peer.closeCode());
      other.next().acceptRegistration("c-2", "");
      link.await(s -> s.connected() && s.clusterId().equals("c-2"));
      link.close();
    }
  }

  @Test
  void leavesInGoodOrder() throws Exception {
    BlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    handler(
        "x.go",
        (message, reply) -> {
          reply.claim(
              "s1",
              new StreamReceiver() {
                @Override
                public void receive(Message ignored) {}

                @Override
                public void lost(String reason) {
                  reply.offer(Outgoing.text(Priority.CONTROL, "s1", "{\"type\":\"bye\"}"));
                }
              });
          replies.add(reply);
        });
    var peer = connected();
    peer.text("{\"type\":\"x.go\"}");
    Reply reply = replies.poll(60, TimeUnit.SECONDS);
    peer.reading(false);
    for (int i = 0; i < 50; i++) {
      reply.send(new Outgoing(Priority.BULK, "b" + i, false, java.nio.ByteBuffer.allocate(60_000)));
    }
    Thread stopper = Thread.ofVirtual().start(() -> link.runtime.close(Duration.ofSeconds(30)));
    peer.reading(true);
    int bytes = 0;
    boolean bye = false;
    for (int i = 0; i < 51; i++) {
      int at = i;
      TestLink.await(() -> !peer.quiet(), () -> "only " + at + " came, closed " + peer.closes);
      var received = peer.receive();
      bytes += received.opcode() == 2 ? received.data().length : 0;
      bye |= received.opcode() == 1 && received.text().contains("bye");
    }
    assertEquals(3_000_000, bytes);
    assertTrue(bye);
    assertEquals(1001, peer.closeCode());
    stopper.join();
    assertEquals(LinkState.DISCONNECTED, link.status().state());
  }

  @Test
  void leavesInTimeWhenThePeerDoesNotRead() throws Exception {
    BlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    handler("x.go", (message, reply) -> replies.add(reply));
    var peer = connected();
    peer.text("{\"type\":\"x.go\"}");
    Reply reply = replies.poll(60, TimeUnit.SECONDS);
    peer.reading(false);
    Thread producer =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    while (true) {
                      reply.send(
                          new Outgoing(
                              Priority.BULK, "b", false, java.nio.ByteBuffer.allocate(60_000)));
                    }
                  } catch (LinkLostException | InterruptedException e) {
                    lost.add("producer");
                  }
                });
    TestLink.await(
        () -> link.metrics.gauge("pipeops_agent_link_queued_bytes", "class", "bulk") > 100_000,
        () -> "nothing queued");
    long start = System.nanoTime();
    link.runtime.close(Duration.ofMillis(1000));
    assertTrue(System.nanoTime() - start < Duration.ofSeconds(4).toNanos());
    assertEquals("producer", lost.poll(60, TimeUnit.SECONDS));
    producer.join();
  }
}
