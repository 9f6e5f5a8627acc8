package io.pipeops.agent.forward;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.yamux.YamuxStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A target that fails in one direction. */
@Timeout(60)
class ByteRelayTest {
  private static final int PIECES = 100;

  /** Takes nothing, but has a long answer for whoever tries. */
  private static final class Refusing implements Wire {
    private final CountDownLatch tried = new CountDownLatch(1);
    private int pieces;

    @Override
    public int read(ByteBuffer target) throws IOException {
      try {
        tried.await();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      if (pieces++ == PIECES) {
        return -1;
      }
      int n = target.remaining();
      target.position(target.limit());
      return n;
    }

    @Override
    public void write(ByteBuffer data) throws IOException {
      tried.countDown();
      throw new TargetGoneException(new IOException("Broken pipe"));
    }

    @Override
    public void shutdownOutput() {}

    @Override
    public void close() {
      tried.countDown();
    }
  }

  /** As an API server that ends an exec, or a server that refuses an upload. */
  @Test
  void whatATargetHasSaidArrivesAlsoWhenItTakesNoMore() throws Exception {
    try (Fixture fixture = new Fixture(Fixture.settings())) {
      YamuxStream stream = fixture.hub.open();
      stream.write(ByteBuffer.wrap("a ping".getBytes(UTF_8)));
      YamuxStream accepted = fixture.agent.accept();
      Refusing target = new Refusing();
      CompletableFuture<Exception> ended = new CompletableFuture<>();
      Tally tally = new Tally(Kind.TCP, fixture.all.meters());
      Thread.ofVirtual()
          .start(
              () -> {
                try (accepted) {
                  new ByteRelay(accepted, target, ByteRelay.plain(target), Duration.ZERO, tally)
                      .run();
                  ended.complete(null);
                } catch (Exception e) {
                  ended.complete(e);
                }
              });
      long received = 0;
      for (ByteBuffer piece = stream.take(Fixture.WAIT);
          piece != null;
          piece = stream.take(Fixture.WAIT)) {
        received += piece.remaining();
        // It goes on to send, as a client does that has not noticed yet.
        stream.write(ByteBuffer.wrap("a ping".getBytes(UTF_8)));
      }
      assertEquals(PIECES * (32L << 10), received);
      stream.shutdownOutput();
      Exception reason = ended.get(30, TimeUnit.SECONDS);
      assertTrue(reason instanceof TargetGoneException, String.valueOf(reason));
      stream.close();
    }
  }

  @Test
  void badInputOfThePeerEndsItAtOnce() throws Exception {
    try (Fixture fixture = new Fixture(Fixture.settings())) {
      YamuxStream stream = fixture.hub.open();
      stream.write(ByteBuffer.wrap("nonsense".getBytes(UTF_8)));
      YamuxStream accepted = fixture.agent.accept();
      ByteRelay.Inlet strict =
          new ByteRelay.Inlet() {
            @Override
            public void accept(ByteBuffer data) throws IOException {
              throw new IOException("not understood");
            }

            @Override
            public void end() {}
          };
      Tally tally = new Tally(Kind.TCP, fixture.all.meters());
      try (accepted) {
        IOException refused =
            assertThrows(
                IOException.class,
                () -> new ByteRelay(accepted, new Refusing(), strict, Duration.ZERO, tally).run());
        assertEquals("not understood", refused.getMessage());
      }
      assertThrows(IOException.class, () -> stream.take(Fixture.WAIT));
      stream.close();
    }
  }
}
