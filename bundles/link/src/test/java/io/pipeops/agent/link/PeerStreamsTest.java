package io.pipeops.agent.link;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStream;
import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.link.StreamOpen;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.WindowBudget;
import io.pipeops.agent.protocol.yamux.YamuxException;
import io.pipeops.agent.protocol.yamux.YamuxSession;
import io.pipeops.agent.protocol.yamux.YamuxSettings;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.agent.protocol.yamux.YamuxTransport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams of a gateway over a real WebSocket, with the gateway's side of yamux in the test. */
@Timeout(180)
class PeerStreamsTest {
  private static final Duration WAIT = Duration.ofSeconds(30);

  private final TestLink link = new TestLink();
  private ScriptedPeer controller;
  private ScriptedPeer.Peer peer;
  private YamuxSession session;
  private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();

  @BeforeEach
  void connect() throws Exception {
    controller = new ScriptedPeer();
    link.start(controller.url());
    peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
  }

  @AfterEach
  void stop() throws Exception {
    if (session != null) {
      session.lost("the test is over");
    }
    link.close();
    controller.close();
  }

  private Set<String> offer(Set<String> extensions) throws Exception {
    peer.send(
        "",
        new GatewayHello(
            true, 256 << 10, Duration.ofHours(1), WAIT, Extensions.fields(extensions)));
    return Extensions.read(
        GatewayHelloAck.parse(peer.expect("gateway_hello_ack").payload()).extra());
  }

  /** Begins the gateway's side. */
  private void open() throws Exception {
    session =
        YamuxSession.server(
            YamuxSettings.DEFAULT.with(256 << 10, Duration.ZERO, WAIT),
            new YamuxTransport() {
              @Override
              public void data(int stream, ByteBuffer frame) throws IOException {
                send(frame);
              }

              @Override
              public boolean offer(ByteBuffer frame) {
                try {
                  send(frame);
                  return true;
                } catch (IOException e) {
                  return false;
                }
              }

              private void send(ByteBuffer frame) throws IOException {
                byte[] bytes = new byte[frame.remaining()];
                frame.get(bytes);
                peer.binary(bytes);
              }
            },
            new WindowBudget(64 << 20));
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                while (!session.ended()) {
                  ScriptedPeer.Received received = peer.receive();
                  if (received.opcode() == 2) {
                    session.feed(ByteBuffer.wrap(received.data()));
                  } else {
                    texts.add(received.text());
                  }
                }
              } catch (InterruptedException | AssertionError e) {
                session.lost("nothing comes any more");
              }
            });
  }

  private YamuxStream open(StreamHeader header) throws Exception {
    YamuxStream stream = session.open();
    stream.write(header.write());
    return stream;
  }

  private static StreamHeader tcp() {
    return new StreamHeader(StreamHeader.TCP, 5432, "pg", "db", "t1");
  }

  private void handle(String key, StreamHandler handler, String... protocols) {
    link.runtime
        .streams()
        .handlers()
        .put(key, handler, Map.of(StreamHandler.PROTOCOLS, protocols, "service.id", 1L));
  }

  private static void echo(LinkStream stream) throws IOException, InterruptedException {
    for (ByteBuffer b = stream.take(Duration.ZERO); b != null; b = stream.take(Duration.ZERO)) {
      stream.write(b);
    }
    stream.shutdownOutput();
  }

  private static byte[] readAll(YamuxStream stream, int length) throws Exception {
    ByteBuffer all = ByteBuffer.allocate(length + 1);
    while (stream.read(all, WAIT) >= 0) {}
    byte[] bytes = new byte[all.flip().remaining()];
    all.get(bytes);
    return bytes;
  }

  @Test
  void aStreamReachesItsHandlerAndEndsOnBothSides() throws Exception {
    BlockingQueue<StreamOpen> opened = new LinkedBlockingQueue<>();
    handle(
        "h",
        (open, stream) -> {
          opened.add(open);
          echo(stream);
        },
        "tcp");
    assertEquals(Set.of(), offer(Set.of()), "nothing beyond the protocol unless it was offered");
    open();
    YamuxStream stream = open(tcp());
    byte[] data = new byte[3_000_000];
    new Random(1).nextBytes(data);
    CompletableFuture<byte[]> back = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                back.complete(readAll(stream, data.length));
              } catch (Exception e) {
                back.completeExceptionally(e);
              }
            });
    stream.write(ByteBuffer.wrap(data));
    stream.shutdownOutput();
    assertArrayEquals(data, back.get(60, TimeUnit.SECONDS));
    assertEquals(
        new StreamOpen("tcp", "pg", "db", 5432, "t1", WAIT), opened.poll(1, TimeUnit.SECONDS));
    awaitNoStreams();
    assertEquals(1, link.metrics.count("pipeops_agent_link_streams_total", "result", "accepted"));
  }

  private void awaitNoStreams() {
    TestLink.await(
        // A stream that has just come holds its header before it counts as open.
        () ->
            link.runtime.streams().open() == 0
                && session.activeStreams() == 0
                && link.metrics.gauge("pipeops_agent_link_stream_memory_bytes") == 0,
        () ->
            "streams stay: "
                + link.runtime.streams().open()
                + ", bytes: "
                + link.metrics.gauge("pipeops_agent_link_stream_memory_bytes"));
  }

  @Test
  void onlyWhatBothKnowIsUsed() throws Exception {
    handle(
        "h",
        (open, stream) -> {
          stream.write(ByteBuffer.wrap(open.protocol().getBytes(UTF_8)));
          stream.take(Duration.ZERO);
        },
        "api",
        "udp-datagrams");
    assertEquals(
        Set.of(Extensions.API_STREAM), offer(Set.of(Extensions.API_STREAM, "from-the-future")));
    open();
    YamuxStream api = open(new StreamHeader(StreamHeader.API, 443, "kubernetes", "default", ""));
    ByteBuffer name = ByteBuffer.allocate(3);
    assertEquals(3, api.read(name, WAIT));
    YamuxStream other = open(new StreamHeader(StreamHeader.DATAGRAMS, 53, "dns", "x", ""));
    assertThrows(YamuxException.class, () -> other.read(ByteBuffer.allocate(1), WAIT));
    assertEquals(1, link.metrics.count("pipeops_agent_link_streams_total", "result", "refused"));
  }

  @Test
  void aStreamWaitsForItsHandlerButNotForEver() throws Exception {
    offer(Set.of());
    open();
    link.runtime.streams().limits(new StreamLimits(true, 10, 1 << 20, 1 << 20, WAIT));
    YamuxStream waits = open(tcp());
    TestLink.await(() -> link.runtime.streams().open() == 1, () -> "not there yet");
    handle("h", (open, stream) -> echo(stream), "tcp");
    waits.shutdownOutput();
    assertEquals(0, readAll(waits, 10).length);
    link.runtime.streams().handlers().remove("h");
    link.runtime
        .streams()
        .limits(new StreamLimits(true, 10, 1 << 20, 1 << 20, Duration.ofMillis(50)));
    YamuxStream refused = open(tcp());
    assertThrows(YamuxException.class, () -> refused.read(ByteBuffer.allocate(1), WAIT));
  }

  @Test
  void aNewVersionTakesNewStreamsAndTheOldOneKeepsItsOwn() throws Exception {
    offer(Set.of());
    open();
    link.runtime.streams().handlers().put("old", answering("old"), properties(1, false));
    YamuxStream first = open(tcp());
    assertEquals("old", word(first));
    link.runtime.streams().handlers().put("new", answering("new"), properties(2, false));
    link.runtime.streams().handlers().update("old", properties(1, true));
    YamuxStream second = open(tcp());
    assertEquals("new", word(second));
    first.write(ByteBuffer.wrap(new byte[] {1}));
    assertEquals("old", word(first));
    link.runtime.streams().handlers().remove("old");
    first.write(ByteBuffer.wrap(new byte[] {1}));
    assertEquals("old", word(first));
    first.close();
    second.close();
    awaitNoStreams();
  }

  private static Map<String, Object> properties(int ranking, boolean draining) {
    return Map.of(
        StreamHandler.PROTOCOLS,
        new String[] {"tcp"},
        LinkHandler.DRAINING,
        draining,
        "service.ranking",
        ranking);
  }

  private static StreamHandler answering(String word) {
    return (open, stream) -> {
      do {
        stream.write(ByteBuffer.wrap(word.getBytes(UTF_8)));
      } while (stream.take(Duration.ZERO) != null);
    };
  }

  private static String word(YamuxStream stream) throws Exception {
    ByteBuffer word = ByteBuffer.allocate(3);
    while (word.hasRemaining()) {
      assertTrue(stream.read(word, WAIT) > 0);
    }
    return new String(word.array(), UTF_8);
  }

  @Test
  void aFaultyHandlerCostsItsStreamOnly() throws Exception {
    handle(
        "h",
        (open, stream) -> {
          if (open.port() == 1) {
            throw new IllegalStateException("a fault");
          }
          echo(stream);
        },
        "tcp");
    offer(Set.of());
    open();
    YamuxStream bad = open(new StreamHeader(StreamHeader.TCP, 1, "a", "b", ""));
    assertThrows(YamuxException.class, () -> bad.read(ByteBuffer.allocate(1), WAIT));
    YamuxStream good = open(tcp());
    good.write(ByteBuffer.wrap("x".getBytes(UTF_8)));
    good.shutdownOutput();
    assertEquals("x", new String(readAll(good, 10), UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Wrong version, unknown type, no stream, a window of 4 GiB, our own parity.
        "010100010000000200000000",
        "000400010000000200000000",
        "000100010000000000000000",
        "0000000100000002ffffffff",
        "000100010000000300000000"
      })
  void hostileFramesEndTheConnectionAndTheNextOneWorks(String frame) throws Exception {
    handle("h", (open, stream) -> echo(stream), "tcp");
    offer(Set.of());
    peer.binary(HexFormat.of().parseHex(frame));
    String goAway = "000300000000000000000001";
    while (!HexFormat.of().formatHex(peer.receive().data()).equals(goAway)) {
      // A stream may have been accepted before the violation.
    }
    assertEquals(1011, peer.closeCode());
    peer = controller.next();
    assertTrue(peer.request.line().startsWith("GET "));
  }

  @Test
  void dataForAnUnknownStreamIsDropped() throws Exception {
    handle("h", (open, stream) -> echo(stream), "tcp");
    offer(Set.of());
    peer.binary(HexFormat.of().parseHex("000000000000006400000003616263"));
    open();
    YamuxStream good = open(tcp());
    good.write(ByteBuffer.wrap("x".getBytes(UTF_8)));
    good.shutdownOutput();
    assertEquals("x", new String(readAll(good, 10), UTF_8));
  }

  @Test
  void badHeadersResetTheStreamOnly() throws Exception {
    handle("h", (open, stream) -> echo(stream), "tcp");
    offer(Set.of());
    open();
    for (String header : List.of("02011538", "01091538", "01011538ffff")) {
      YamuxStream bad = session.open();
      bad.write(ByteBuffer.wrap(HexFormat.of().parseHex(header)));
      assertThrows(YamuxException.class, () -> bad.read(ByteBuffer.allocate(1), WAIT), header);
    }
    YamuxStream good = open(tcp());
    good.shutdownOutput();
    assertEquals(0, readAll(good, 10).length);
  }

  @Test
  void tenThousandStreamsLeaveNothing() throws Exception {
    handle("h", (open, stream) -> echo(stream), "tcp");
    offer(Set.of());
    open();
    for (int i = 0; i < 10_000; i++) {
      YamuxStream stream = open(tcp());
      if (i % 2 == 0) {
        stream.write(ByteBuffer.wrap(new byte[100]));
      }
      stream.close();
    }
    awaitNoStreams();
    YamuxStream good = open(tcp());
    good.shutdownOutput();
    assertEquals(0, readAll(good, 10).length);
  }

  @Test
  void streamsFailWhenTheConnectionIsCut() throws Exception {
    BlockingQueue<IOException> ends = new LinkedBlockingQueue<>();
    handle(
        "h",
        (open, stream) -> {
          try {
            echo(stream);
          } catch (IOException e) {
            ends.add(e);
          }
        },
        "tcp");
    offer(Set.of());
    open();
    open(tcp());
    TestLink.await(() -> link.runtime.streams().open() == 1, () -> "not there yet");
    peer.cut();
    assertFalse(ends.poll(30, TimeUnit.SECONDS) == null, "the handler is told");
    TestLink.await(() -> link.runtime.streams().open() == 0, () -> "the stream stays");
  }

  @Test
  void noAnswerWithoutYamuxAndNoneWhenItIsOff() throws Exception {
    peer.text("{\"type\":\"gateway_hello\",\"payload\":{\"use_yamux\":false}}");
    link.runtime.streams().limits(new StreamLimits(false, 1, 1 << 20, 1 << 20, WAIT));
    peer.text("{\"type\":\"gateway_hello\",\"payload\":{\"use_yamux\":true}}");
    peer.text("{\"type\":\"ping\",\"request_id\":\"p\"}");
    assertEquals("p", peer.expect("pong").requestId());
  }

  @Test
  void idsAreAnsweredOnlyWhereThatWasAgreed() throws Exception {
    offer(Set.of(Extensions.STREAM_IDS));
    peer.send("", new StreamIds(false, List.of("gone"), List.of()));
    StreamIds answer = StreamIds.parse(peer.expect(StreamIds.TYPE).payload());
    assertEquals(new StreamIds(true, List.of(), List.of()), answer);
    peer.send("", new StreamIds(true, List.of(), List.of()));
    peer.text("{\"type\":\"ping\",\"request_id\":\"p\"}");
    assertEquals("p", peer.expect("pong").requestId(), "no answer to an answer");
    assertNull(texts.peek());
  }
}
