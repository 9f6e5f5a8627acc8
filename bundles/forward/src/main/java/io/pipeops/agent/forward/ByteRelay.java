package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.LinkStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Carries bytes between a stream and a target, each direction on a thread of its own with straight
 * blocking calls, so that a slow reader slows its writer down and nobody else. The end of data of
 * one side is passed on while the other direction goes on; a failure of one side ends both.
 */
final class ByteRelay {
  /** What is done with what comes from the peer. */
  interface Inlet {
    void accept(ByteBuffer data) throws IOException;

    /** The peer has ended its data. */
    void end() throws IOException;
  }

  private static final int PIECE = 32 << 10;

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
      toTarget();
      if (idle.isZero()) {
        back.join();
      }
      while (!back.join(idle)) {
        checkIdle();
      }
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
