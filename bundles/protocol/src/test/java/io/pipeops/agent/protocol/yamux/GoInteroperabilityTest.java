package io.pipeops.agent.protocol.yamux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Our sessions against HashiCorp's own, in a small Go program on standard input and output. Skipped
 * where there is no Go or its module cannot be had.
 */
@Timeout(240)
class GoInteroperabilityTest {
  private static final Path SOURCES = Path.of("src", "test", "go");
  private static final Path PROGRAM = Path.of("target", "yamuxpeer").toAbsolutePath();

  private final WindowBudget budget = new WindowBudget(32 << 20);
  private Process peer;

  @BeforeAll
  static void build() throws Exception {
    assumeTrue(runs(10, "go", "version"), "there is no Go on this machine");
    assumeTrue(runs(60, "go", "mod", "download"), "the yamux module cannot be downloaded");
    assertTrue(runs(200, "go", "build", "-o", PROGRAM.toString(), "."), "the Go peer builds");
  }

  private static boolean runs(int seconds, String... command) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder(command)
              .directory(SOURCES.toFile())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (process.waitFor(seconds, TimeUnit.SECONDS)) {
        return process.exitValue() == 0;
      }
      process.destroyForcibly();
      return false;
    } catch (IOException e) {
      return false;
    }
  }

  @AfterEach
  void stop() {
    if (peer != null) {
      peer.destroyForcibly();
    }
  }

  private Path start(String role) throws IOException {
    Path log = Files.createTempFile(Path.of("target"), "yamuxpeer-" + role, ".log");
    peer = new ProcessBuilder(PROGRAM.toString(), role).redirectError(log.toFile()).start();
    return log;
  }

  private YamuxTransport transport() {
    OutputStream to = peer.getOutputStream();
    return new YamuxTransport() {
      @Override
      public void data(int stream, ByteBuffer frame) throws IOException {
        synchronized (to) {
          to.write(frame.array(), frame.position(), frame.remaining());
          to.flush();
        }
      }

      @Override
      public boolean offer(ByteBuffer frame) {
        try {
          data(0, frame);
          return true;
        } catch (IOException e) {
          return false;
        }
      }
    };
  }

  private void feed(YamuxSession session) {
    InputStream from = peer.getInputStream();
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              byte[] bytes = new byte[50_000];
              try {
                for (int n = from.read(bytes); n >= 0; n = from.read(bytes)) {
                  session.feed(ByteBuffer.wrap(Arrays.copyOf(bytes, n)));
                }
                session.lost("end of input");
              } catch (IOException e) {
                session.lost(e.getMessage());
              }
            });
  }

  private static void echo(YamuxStream stream) {
    try (stream) {
      for (ByteBuffer piece = stream.take(Duration.ZERO);
          piece != null;
          piece = stream.take(Duration.ZERO)) {
        stream.write(piece);
      }
      stream.shutdownOutput();
    } catch (IOException | InterruptedException e) {
      // The peer reports what it missed.
    }
  }

  @Test
  void weAcceptWhatTheirServerOpens() throws Exception {
    Path log = start("server");
    try (YamuxSession session = YamuxSession.client(YamuxSettings.DEFAULT, transport(), budget)) {
      feed(session);
      for (YamuxStream stream = session.accept(); stream != null; stream = session.accept()) {
        YamuxStream accepted = stream;
        Thread.startVirtualThread(() -> echo(accepted));
      }
      assertTrue(peer.waitFor(60, TimeUnit.SECONDS));
      // Their side may still be answering a ping when it shuts down, and says so.
      assertEquals("all echoed", Files.readAllLines(log).get(0));
      assertEquals(0, peer.exitValue());
    }
  }

  @Test
  void theirClientAcceptsWhatWeOpen() throws Exception {
    start("client");
    try (YamuxSession session =
        YamuxSession.server(
            YamuxSettings.DEFAULT.with(1 << 20, Duration.ofMillis(50), Duration.ofSeconds(30)),
            transport(),
            budget)) {
      feed(session);
      List<CompletableFuture<Void>> all = new ArrayList<>();
      for (int size : new int[] {0, 1, 262144, 262145, 3_000_000}) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        all.add(done);
        Thread.startVirtualThread(
            () -> {
              try {
                roundTrip(session, size);
                done.complete(null);
              } catch (Throwable e) {
                done.completeExceptionally(e);
              }
            });
      }
      for (CompletableFuture<Void> done : all) {
        done.get(60, TimeUnit.SECONDS);
      }
      assertTrue(session.roundTrip().isPositive());
    }
    assertEquals(0, budget.used());
  }

  private static void roundTrip(YamuxSession session, int size) throws Exception {
    byte[] sent = new byte[size];
    new Random(size).nextBytes(sent);
    try (YamuxStream stream = session.open()) {
      Thread.startVirtualThread(
          () -> {
            try {
              stream.write(ByteBuffer.wrap(sent));
              stream.shutdownOutput();
            } catch (IOException | InterruptedException e) {
              stream.reset();
            }
          });
      ByteBuffer received = ByteBuffer.allocate(size + 1);
      while (stream.read(received, Duration.ofSeconds(60)) >= 0) {
        // until the end
      }
      assertArrayEquals(sent, Arrays.copyOf(received.array(), received.position()));
    }
  }
}
