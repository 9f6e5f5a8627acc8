package io.pipeops.agent.protocol.yamux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.ProtocolException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(30)
class YamuxSessionTest {
  private static final Duration NO_LIMIT = Duration.ZERO;
  private static final String OPEN_2 = "000100010000000200000000";
  private static final String ACK_2 = "000100020000000200000000";
  private static final String FIN_2 = "000100040000000200000000";
  private static final String RST_2 = "000100080000000200000000";

  private final RecordingTransport out = new RecordingTransport();
  private final WindowBudget budget = new WindowBudget(4 << 20);
  private YamuxSession session = YamuxSession.client(YamuxSettings.DEFAULT, out, budget);

  @AfterEach
  void nothingStaysCharged() {
    session.lost("end of test");
    assertEquals(0, budget.used());
  }

  private YamuxSession session(Duration keepAlive, Duration timeout, Duration halfClosed) {
    session.lost("replaced");
    out.ended = null;
    YamuxSettings d = YamuxSettings.DEFAULT;
    session =
        YamuxSession.client(
            new YamuxSettings(d.startWindow(), d.maxWindow(), 2, 3, keepAlive, timeout, halfClosed),
            out,
            budget);
    return session;
  }

  private boolean feed(String hex) {
    return session.feed(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
  }

  private static String data(int flags, int stream, String content) {
    ByteBuffer frame = FrameHeader.data(flags, stream, ByteBuffer.wrap(content.getBytes(UTF_8)));
    return HexFormat.of().formatHex(frame.array());
  }

  private static String text(ByteBuffer bytes) {
    return bytes == null ? null : UTF_8.decode(bytes).toString();
  }

  private static void await(BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, "not in time");
      Thread.onSpinWait();
    }
  }

  @Test
  void framesOfTheProtocol() throws Exception {
    feed(OPEN_2);
    YamuxStream stream = session.accept();
    assertEquals(2, stream.id());
    feed("000200010000000000000007");
    stream.shutdownOutput();
    assertEquals(List.of(ACK_2, "000200020000000000000007", FIN_2), out.frames);
    feed(FIN_2);
    assertEquals(0, session.activeStreams());
    assertNull(stream.take(NO_LIMIT));
    stream.close();
    assertEquals(3, out.frames.size());
  }

  @Test
  void aLargerWindowIsAnnouncedWithTheAck() throws Exception {
    session.lost("replaced");
    session =
        YamuxSession.client(
            YamuxSettings.DEFAULT.with(524288, Duration.ofSeconds(20), Duration.ofSeconds(30)),
            out,
            budget);
    feed(OPEN_2);
    try (YamuxStream stream = session.accept()) {
      assertEquals(2, stream.id());
      assertEquals(List.of("000100020000000200040000"), out.frames);
      assertEquals(262144, budget.used());
    }
  }

  @Test
  void dataMayComeBeforeTheAckAndWithTheSyn() throws Exception {
    feed(data(FrameHeader.SYN, 2, "hello") + data(FrameHeader.FIN, 2, " world"));
    YamuxStream stream = session.accept();
    ByteBuffer target = ByteBuffer.allocate(100);
    while (stream.read(target) >= 0) {
      // until the end
    }
    assertEquals("hello world", text(target.flip()));
    stream.write(ByteBuffer.wrap("hi".getBytes(UTF_8)));
    stream.shutdownOutput();
    assertEquals(List.of(ACK_2, data(0, 2, "hi"), FIN_2), out.frames);
    stream.close();
  }

  @Test
  void beyondTheBacklogStreamsAreReset() throws Exception {
    for (int id = 2; id <= 2 * 257; id += 2) {
      feed(HexFormat.of().formatHex(FrameHeader.frame(1, FrameHeader.SYN, id, 0).array()));
    }
    assertEquals(List.of("000100080000020200000000"), out.frames);
    assertEquals(256, session.activeStreams());
    assertEquals(2, session.accept().id());
  }

  @ParameterizedTest
  @CsvSource({
    "010100010000000200000000,version 1",
    "000400010000000200000000,frame type 4",
    "00ff00010000000200000000,frame type 255",
    "000100010000000000000000,without stream",
    "000100010000000200000000000100010000000200000000,second SYN",
    "000100010000000300000000,own parity",
    "000000010000000200040001,window is exceeded",
    "0000000100000002ffffffff,window is exceeded",
    "000100010000000200000000000100000000000" + "2ffffffff,beyond 32 bits",
  })
  void violationsEndTheSession(String bytes, String problem) throws Exception {
    assertFalse(feed(bytes));
    assertTrue(session.endReason().contains(problem), session.endReason());
    assertEquals("000300000000000000000001", out.frames.getLast());
    assertEquals(session.endReason(), out.ended);
    assertNull(session.accept());
    assertFalse(feed(OPEN_2));
    assertThrows(YamuxException.class, session::open);
  }

  @Test
  void theWindowCountsOverFrames() throws Exception {
    String half = data(FrameHeader.SYN, 2, "x".repeat(131072));
    feed(half);
    assertTrue(feed(data(0, 2, "x".repeat(131072))));
    assertFalse(feed(data(0, 2, "x")));
    YamuxStream none = session.accept();
    assertNull(none);
  }

  @Test
  void readingHalfTheWindowOpensItAgain() throws Exception {
    feed(data(FrameHeader.SYN, 2, "x".repeat(200_000)));
    try (YamuxStream stream = session.accept()) {
      ByteBuffer target = ByteBuffer.allocate(131071);
      while (target.hasRemaining()) {
        stream.read(target);
      }
      assertEquals(List.of(ACK_2), out.frames);
      assertEquals(1, stream.read(ByteBuffer.allocate(1)));
      assertEquals("000100000000000200020000", out.frames.get(1));
    }
  }

  @Test
  void bytesForUnknownStreamsAreDropped() {
    assertTrue(feed(data(0, 8, "lost") + data(FrameHeader.FIN, 8, "") + RST_2 + FIN_2));
    assertEquals(List.of(), out.frames);
  }

  @Test
  void aResetFailsReadersAndWriters() throws Exception {
    feed(data(FrameHeader.SYN, 2, "unread"));
    YamuxStream stream = session.accept();
    feed(RST_2);
    assertThrows(YamuxException.class, () -> stream.take(NO_LIMIT));
    assertThrows(YamuxException.class, () -> stream.write(ByteBuffer.allocate(1)));
    assertEquals(0, session.activeStreams());
    stream.close();
    assertEquals(List.of(ACK_2), out.frames);
  }

  @Test
  void closingAnOpenStreamResetsIt() throws Exception {
    feed(OPEN_2);
    session.accept().close();
    assertEquals(List.of(ACK_2, RST_2), out.frames);
    assertTrue(feed(data(0, 2, "late")));
  }

  @Test
  void writersWaitForTheWindow() throws Exception {
    feed(OPEN_2);
    YamuxStream stream = session.accept();
    CompletableFuture<Void> written = new CompletableFuture<>();
    Thread.startVirtualThread(
        () -> {
          try {
            stream.write(ByteBuffer.allocate(262144 + 5));
            written.complete(null);
          } catch (Exception e) {
            written.completeExceptionally(e);
          }
        });
    await(() -> out.frames.size() == 9);
    assertFalse(written.isDone());
    feed("000100000000000200000003");
    await(() -> out.frames.size() == 10);
    assertFalse(written.isDone());
    feed("000100000000000200000002");
    written.get(10, TimeUnit.SECONDS);
    assertEquals(2 * (12 + 2), out.frames.getLast().length());
    stream.close();
  }

  @Test
  void theEndOfTheSessionWakesEverybody() throws Exception {
    feed(OPEN_2);
    YamuxStream stream = session.accept();
    CompletableFuture<Object> reading = new CompletableFuture<>();
    CompletableFuture<Object> accepting = new CompletableFuture<>();
    Thread.startVirtualThread(
        () -> {
          try {
            reading.complete(String.valueOf(stream.take(NO_LIMIT)));
          } catch (Exception e) {
            reading.complete(e.getMessage());
          }
        });
    Thread.startVirtualThread(
        () -> {
          try {
            accepting.complete(String.valueOf(session.accept()));
          } catch (InterruptedException e) {
            accepting.completeExceptionally(e);
          }
        });
    session.lost("socket closed");
    assertEquals("yamux stream 2: socket closed", reading.get(10, TimeUnit.SECONDS));
    assertEquals("null", accepting.get(10, TimeUnit.SECONDS));
    assertEquals(List.of(ACK_2), out.frames);
  }

  @Test
  void goAway() throws Exception {
    feed(OPEN_2 + "000300000000000000000000");
    YamuxStream stream = session.accept();
    assertThrows(YamuxException.class, session::open);
    assertFalse(session.ended());
    stream.write(ByteBuffer.wrap(new byte[] {1}));
    session.goAway();
    feed("000100010000000400000000");
    assertEquals("000100080000000400000000", out.frames.getLast());
    assertFalse(feed("000300000000000000000002"));
    assertEquals("the peer went away with code 2", session.endReason());
  }

  @Test
  void aReadHasALimit() throws Exception {
    feed(OPEN_2);
    try (YamuxStream stream = session.accept()) {
      assertThrows(SocketTimeoutException.class, () -> stream.take(Duration.ofMillis(20)));
    }
  }

  @Test
  void memoryIsBounded() throws Exception {
    String full = "y".repeat(262144);
    for (int id = 2; id <= 40; id += 2) {
      assertTrue(feed(data(FrameHeader.SYN, id, full)));
      assertTrue(budget.used() <= budget.limit());
    }
    assertEquals(16, session.activeStreams());
    assertEquals(4, out.frames.size());
    assertEquals("000100080000002200000000", out.frames.getFirst());
    session.accept().close();
    assertTrue(feed(data(FrameHeader.SYN, 100, full)));
    assertEquals(16, session.activeStreams());
  }

  @Test
  void singleBytesAreKeptTogether() throws Exception {
    feed(OPEN_2);
    String one = data(0, 2, "z");
    for (int i = 0; i < 10_000; i++) {
      feed(one);
    }
    try (YamuxStream stream = session.accept()) {
      int pieces = 0;
      for (int size = 0; size < 10_000; pieces++) {
        size += stream.take(NO_LIMIT).remaining();
      }
      assertEquals(5, pieces);
    }
  }

  @Test
  void windowsGrowWhileTheyHoldThePeerUp() {
    ReceiveWindow window = new ReceiveWindow(YamuxSettings.DEFAULT, budget);
    long now = 0;
    for (int i = 0; i < 100; i++) {
      now += 50;
      window.claim(window.left());
      assertTrue(window.update(now, 100) > 0);
    }
    assertEquals(4 << 20, window.size());
    assertEquals((4 << 20) - (256 << 10), budget.used());
    ReceiveWindow other = new ReceiveWindow(YamuxSettings.DEFAULT, budget);
    for (int i = 0; i < 10; i++) {
      now += 50;
      other.claim(other.left());
      other.update(now, 100);
    }
    assertEquals(512 << 10, other.size());
    window.release();
    other.release();

    ReceiveWindow slow = new ReceiveWindow(YamuxSettings.DEFAULT, budget);
    for (int i = 0; i < 10; i++) {
      now += 1000;
      slow.claim(slow.left());
      slow.update(now, 100);
    }
    assertEquals(256 << 10, slow.size());
    slow.release();
  }

  /** An answer that waited behind data says nothing about the line. */
  @Test
  void aLateAnswerHardlyRaisesTheRoundTrip() {
    assertEquals(1000, KeepAlive.shortest(0, 1000));
    assertEquals(800, KeepAlive.shortest(1000, 800));
    assertEquals(1001, KeepAlive.shortest(800, 1_000_000));
    long longer = 1000;
    for (int i = 0; i < 32; i++) {
      longer = KeepAlive.shortest(longer, 1_000_000);
    }
    assertEquals(1_000_000, longer, "the line has become longer");
    assertEquals(2, KeepAlive.shortest(1, 5));
  }

  @Test
  void aSilentPeerEndsTheSession() {
    session(Duration.ofMillis(20), Duration.ofMillis(50), Duration.ofMinutes(5));
    await(() -> session.ended());
    assertEquals("the peer does not answer pings", session.endReason());
    assertTrue(out.frames.contains("000200010000000000000001"), out.frames::toString);
  }

  @Test
  void anAnsweringPeerIsPingedOn() {
    session(Duration.ofMillis(10), Duration.ofSeconds(10), Duration.ofMinutes(5));
    for (int i = 1; i <= 3; i++) {
      int count = i;
      await(() -> out.frames.size() >= count);
      feed(String.format("0002000200000000%08x", i));
    }
    assertFalse(session.roundTrip().isZero());
    assertFalse(session.ended());
  }

  @Test
  void aStreamLeftHalfClosedIsReset() throws Exception {
    session(Duration.ZERO, Duration.ofSeconds(1), Duration.ofMillis(20));
    feed(OPEN_2);
    YamuxStream stream = session.accept();
    stream.shutdownOutput();
    await(() -> out.frames.contains(RST_2));
    assertThrows(YamuxException.class, () -> stream.take(NO_LIMIT));
  }

  /** A long answer to a request that is complete is no reason to cut it. */
  @Test
  void aHalfClosedStreamIsNotQuietWhileThePeerSends() throws Exception {
    Duration limit = Duration.ofMillis(20);
    feed(OPEN_2);
    YamuxStream stream = session.accept();
    stream.shutdownOutput();
    await(() -> stream.halfClosedFor(limit));
    feed(data(0, 2, "x"));
    assertFalse(stream.halfClosedFor(Duration.ZERO), "what arrived has not been read yet");
    await(
        () -> {
          feed(data(0, 2, "x"));
          return taken(stream) && !stream.halfClosedFor(limit);
        });
    await(() -> stream.halfClosedFor(limit));
  }

  private static boolean taken(YamuxStream stream) {
    try {
      while (stream.read(ByteBuffer.allocate(8), Duration.ofMillis(1)) > 0) {
        // Until all has been read.
      }
      return false;
    } catch (SocketTimeoutException e) {
      return true;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aConnectionThatTakesNoControlFramesEndsTheSession() {
    out.full = true;
    assertFalse(feed("000200010000000000000007"));
    assertTrue(out.ended.contains("no more control frames"));
  }

  @Test
  void streamsHaveALimit() throws Exception {
    session(Duration.ZERO, Duration.ofMillis(20), Duration.ofMinutes(5));
    for (int id = 2; id <= 8; id += 2) {
      feed(HexFormat.of().formatHex(FrameHeader.frame(1, FrameHeader.SYN, id, 0).array()));
      if (id <= 6) {
        assertEquals(id, session.accept().id());
      }
    }
    assertEquals("000100080000000800000000", out.frames.getLast());
    assertThrows(YamuxException.class, session::open);
  }

  @Test
  void openingWaitsForThePeer() throws Exception {
    session(Duration.ZERO, Duration.ofMillis(50), Duration.ofMinutes(5));
    assertEquals(1, session.open().id());
    assertEquals(3, session.open().id());
    assertThrows(YamuxException.class, session::open);
    feed("000100020000000100000000");
    assertEquals(5, session.open().id());
  }

  @Test
  void streamHeader() throws Exception {
    StreamHeader header = new StreamHeader(StreamHeader.TCP, 5432, "pg", "db", "t1");
    String wire = "01011538000270670002646200027431";
    assertEquals(wire, HexFormat.of().formatHex(header.write().array()));
    String content = new String(HexFormat.of().parseHex(wire), UTF_8);
    feed(data(FrameHeader.SYN, 2, content + "rest"));
    try (YamuxStream stream = session.accept()) {
      assertEquals(header, StreamHeader.read(stream, Duration.ofSeconds(10)));
      assertEquals("rest", text(stream.take(NO_LIMIT)));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "02011538000270670002646200027431,unknown version",
    "01051538000270670002646200027431,unknown protocol 5",
    "0101,ends within it",
    "010115380002706700,ends within it",
    "01011538ffff,text of 65535 bytes",
    "010115380002ff67,not UTF-8",
  })
  void badStreamHeaders(String wire, String problem) throws Exception {
    byte[] content = HexFormat.of().parseHex(wire);
    feed(
        HexFormat.of()
            .formatHex(
                FrameHeader.data(FrameHeader.SYN | FrameHeader.FIN, 2, ByteBuffer.wrap(content))
                    .array()));
    try (YamuxStream stream = session.accept()) {
      ProtocolException e =
          assertThrows(
              ProtocolException.class, () -> StreamHeader.read(stream, Duration.ofSeconds(10)));
      assertTrue(e.getMessage().contains(problem), e::getMessage);
    }
  }

  @Test
  void aStreamHeaderHasALimitInAll() throws Exception {
    feed(data(FrameHeader.SYN, 2, "\u0001\u0001"));
    try (YamuxStream stream = session.accept()) {
      assertThrows(
          SocketTimeoutException.class, () -> StreamHeader.read(stream, Duration.ofMillis(20)));
    }
  }
}
