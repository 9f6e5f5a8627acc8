package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.LinkStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Carries bytes between a stream and a target, each direction on a thread of its own with straight
 * blocking calls, so that a slow reader slows its writer down and nobody else. The end of data of
 * one side is passed on while the other direction goes on; a failure of one side ends both. A
 * target that takes no more has often said why before it closed, as a server that refuses an
 * upload; so what it sent is still carried to its end, and only then is the stream reset.
 */
final class ByteRelay {
  /** What is done with what comes from the peer. */
  interface Inlet {
    void accept(ByteBuffer data) throws IOException;

    /** The peer has ended its data. */
    void end() throws IOException;
  }

  private static final int PIECE = 32 << 10;

  /** How long a peer may go on to read after its target has ended and takes nothing any more. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(10);

  private static final Duration TICK = Duration.ofMillis(200);

  private final LinkStream stream;
  private final Wire wire;
  private final Inlet inlet;
  private final Duration idle;
  private final Tally tally;
  private IOException failure;

  /**
   * A relay that does not run yet.
   *
   * @param idle how long both directions may be silent; zero for ever
   */
  ByteRelay(LinkStream stream, Wire wire, Inlet inlet, Duration idle, Tally tally) {
    this.stream = stream;
    this.wire = wire;
    this.inlet = inlet;
    this.idle = idle;
    this.tally = tally;
  }

  /** Passes bytes on as they are. */
  static Inlet plain(Wire wire) {
    return new Inlet() {
      @Override
      public void accept(ByteBuffer data) throws IOException {
        wire.write(data);
      }

      @Override
      public void end() throws IOException {
        wire.shutdownOutput();
      }
    };
  }

  /**
   * Runs until both directions have ended.
   *
   * @throws IOException if one broke; then both are ended
   */
  void run() throws IOException, InterruptedException {
    Thread back = Thread.ofVirtual().name("forward-back").start(this::fromTarget);
    // A thread that waits for the target would not notice that the peer has reset the stream.
    stream.whenOver(wire::close);
    try {
      try {
        toTarget();
      } catch (TargetGoneException e) {
        discard(back);
        throw e;
      }
      awaitEnd(back);
    } catch (IOException e) {
      failed(e);
    } finally {
      wire.close();
      if (back.isAlive()) {
        stream.reset();
        back.join();
      }
    }
    synchronized (this) {
      if (failure != null) {
        throw failure;
      }
    }
  }

  private void awaitEnd(Thread back) throws IOException, InterruptedException {
    if (idle.isZero()) {
      back.join();
    }
    while (!back.join(idle)) {
      checkIdle();
    }
  }

  private void toTarget() throws IOException, InterruptedException {
    while (true) {
      ByteBuffer data;
      try {
        data = stream.take(idle);
      } catch (SocketTimeoutException e) {
        checkIdle();
        continue;
      }
      if (data == null) {
        inlet.end();
        return;
      }
      int size = data.remaining();
      inlet.accept(data);
      tally.in(size);
    }
  }

  /** Lets the target's last words arrive; what the peer still sends is taken and thrown away. */
  private void discard(Thread back) throws IOException, InterruptedException {
    long end = 0;
    while (end == 0 || System.nanoTime() - end < 0) {
      try {
        if (stream.take(TICK) == null) {
          awaitEnd(back);
          return;
        }
      } catch (SocketTimeoutException e) {
        checkIdle();
      }
      if (end == 0 && !back.isAlive()) {
        end = System.nanoTime() + LAST_WORDS.toNanos();
      }
    }
  }

  private void checkIdle() throws IOException {
    if (idle.isPositive() && tally.idle() >= idle.toNanos()) {
      throw new SocketTimeoutException("idle for " + idle.toSeconds() + " s");
    }
  }

  private void fromTarget() {
    try {
      ByteBuffer piece = ByteBuffer.allocate(PIECE);
      while (wire.read(piece) >= 0) {
        int size = piece.flip().remaining();
        stream.write(piece);
        tally.out(size);
        piece.clear();
      }
      stream.shutdownOutput();
    } catch (IOException e) {
      failed(e);
    } catch (InterruptedException e) {
      failed(new IOException("interrupted"));
      Thread.currentThread().interrupt();
    }
  }

  private void failed(IOException cause) {
    synchronized (this) {
      if (failure == null) {
        failure = cause;
      }
    }
    stream.reset();
    wire.close();
  }
}
