package io.pipeops.agent.protocol.yamux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class YamuxPropertiesTest {
  private interface Work {
    long run() throws Exception;
  }

  private static CompletableFuture<Long> async(Work work) {
    CompletableFuture<Long> done = new CompletableFuture<>();
    Thread.startVirtualThread(
        () -> {
          try {
            done.complete(work.run());
          } catch (Throwable e) {
            done.completeExceptionally(e);
          }
        });
    return done;
  }

  /** Writes random bytes in random pieces, ends, and returns their checksum. */
  private static long write(YamuxStream stream, Random random, int size) throws Exception {
    CRC32 sum = new CRC32();
    for (int left = size; left > 0; ) {
      byte[] piece = new byte[Math.min(left, 1 + random.nextInt(70_000))];
      random.nextBytes(piece);
      sum.update(piece);
      stream.write(ByteBuffer.wrap(piece));
      left -= piece.length;
    }
    stream.shutdownOutput();
    return sum.getValue();
  }

  private static long read(YamuxStream stream, Random random) throws Exception {
    CRC32 sum = new CRC32();
    while (true) {
      if (random.nextBoolean()) {
        ByteBuffer piece = stream.take(Duration.ofSeconds(20));
        if (piece == null) {
          return sum.getValue();
        }
        sum.update(piece);
      } else {
        ByteBuffer target = ByteBuffer.allocate(1 + random.nextInt(50_000));
        if (stream.read(target, Duration.ofSeconds(120)) < 0) {
          return sum.getValue();
        }
        sum.update(target.flip());
      }
    }
  }

  @Property(tries = 15)
  void streamsInBothDirectionsArriveWhole(@ForAll long seed) throws Exception {
    WindowBudget budget = new WindowBudget(64 << 20);
    Random random = new Random(seed);
    try (Wire wire = new Wire(seed, YamuxSettings.DEFAULT, budget)) {
      List<CompletableFuture<Long>> sent = new ArrayList<>();
      List<CompletableFuture<Long>> received = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        boolean fromServer = random.nextBoolean();
        YamuxStream opened = (fromServer ? wire.server : wire.client).open();
        YamuxStream accepted = (fromServer ? wire.client : wire.server).accept();
        assertEquals(opened.id(), accepted.id());
        for (YamuxStream stream : List.of(opened, accepted)) {
          long own = random.nextLong();
          int size = random.nextInt(random.nextBoolean() ? 100 : 1_500_000);
          sent.add(async(() -> write(stream, new Random(own), size)));
        }
        for (YamuxStream stream : List.of(accepted, opened)) {
          long own = random.nextLong();
          received.add(async(() -> read(stream, new Random(own))));
        }
      }
      for (int i = 0; i < sent.size(); i++) {
        assertEquals(
            sent.get(i).get(120, TimeUnit.SECONDS), received.get(i).get(120, TimeUnit.SECONDS));
      }
      awaitNone(wire.client);
      awaitNone(wire.server);
      assertTrue(budget.used() <= budget.limit());
    }
  }

  /** The thread that feeds a session wakes readers a moment before it forgets the stream. */
  private static void awaitNone(YamuxSession session) {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (session.activeStreams() > 0) {
      assertTrue(System.nanoTime() < end, session.activeStreams() + " streams stay");
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Whatever comes in, a session takes it or ends; its memory stays within the budget. */
  @Property(tries = 1000)
  void hostileBytes(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    WindowBudget budget = new WindowBudget(1 << 20);
    RecordingTransport out = new RecordingTransport();
    YamuxSession session = YamuxSession.client(YamuxSettings.DEFAULT, out, budget);
    List<YamuxStream> accepted = new ArrayList<>();
    for (int i = 0; i < 60 && !session.ended(); i++) {
      ByteBuffer frame = frame(random);
      if (random.nextInt(20) == 0) {
        frame.put(random.nextInt(frame.limit()), (byte) random.nextInt());
      }
      if (random.nextInt(20) == 0) {
        frame.limit(random.nextInt(frame.limit() + 1));
      }
      session.feed(frame);
      assertTrue(budget.used() <= budget.limit());
      if (!session.ended() && session.activeStreams() > accepted.size() && random.nextBoolean()) {
        // Something may be waiting, or may just have been reset; opening one of our own proves
        // life.
        try {
          accepted.add(session.open());
        } catch (YamuxException e) {
          // Among the frames was one that says that the peer takes no more.
          assertEquals("yamux: no new streams", e.getMessage());
        }
      }
    }
    session.lost("done");
    for (YamuxStream stream : accepted) {
      stream.close();
    }
    assertEquals(0, session.activeStreams());
    assertEquals(0, budget.used());
  }

  private static ByteBuffer frame(Random random) {
    int flags = random.nextInt(16);
    int stream = random.nextInt(10);
    return switch (random.nextInt(8)) {
      case 0 -> FrameHeader.frame(random.nextInt(5), flags, stream, random.nextInt());
      case 1 -> FrameHeader.frame(FrameHeader.PING, 1 + random.nextInt(2), 0, random.nextInt());
      case 2 ->
          FrameHeader.frame(FrameHeader.WINDOW_UPDATE, flags, stream + 1, random.nextInt(1 << 20));
      case 3 ->
          FrameHeader.frame(
              FrameHeader.WINDOW_UPDATE, FrameHeader.SYN, 2 * random.nextInt(500) + 2, 0);
      default ->
          FrameHeader.data(
              random.nextInt(4) == 0 ? flags : 0,
              stream + 1,
              ByteBuffer.allocate(random.nextInt(random.nextBoolean() ? 10 : 60_000)));
    };
  }
}
