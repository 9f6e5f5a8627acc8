package io.pipeops.hub.kube;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.AbstractConnection;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.Blocker;
import org.eclipse.jetty.util.BufferUtil;

/**
 * A client's connection after a switch of protocols: bytes, with blocking calls for virtual
 * threads, one that reads and one that writes.
 */
final class RawConnection extends AbstractConnection implements Connection.UpgradeTo {
  private static final int PIECE = 32 << 10;

  private final CountDownLatch opened = new CountDownLatch(1);
  private final ByteBuffer buffer = BufferUtil.allocate(PIECE);
  private ByteBuffer early = BufferUtil.EMPTY_BUFFER;

  RawConnection(EndPoint endPoint, Executor executor) {
    super(endPoint, executor);
  }

  @Override
  public void onUpgradeTo(ByteBuffer bytes) {
    early = bytes == null ? BufferUtil.EMPTY_BUFFER : BufferUtil.copy(bytes);
  }

  @Override
  public void onOpen() {
    super.onOpen();
    // Silence is no reason to end it: somebody may be thinking at a shell.
    getEndPoint().setIdleTimeout(0);
    opened.countDown();
  }

  @Override
  public void onFillable() {
    throw new IllegalStateException("reading is done by a thread that waits");
  }

  @Override
  public boolean onIdleExpired(java.util.concurrent.TimeoutException timeout) {
    return false;
  }

  /** Waits for the switch; false if it did not happen. */
  boolean awaitOpen(Duration limit) throws InterruptedException {
    return opened.await(limit.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** The next bytes, valid until the next call; null at the client's end. */
  ByteBuffer read() throws IOException {
    if (early.hasRemaining()) {
      ByteBuffer first = early;
      early = BufferUtil.EMPTY_BUFFER;
      return first;
    }
    BufferUtil.clear(buffer);
    while (true) {
      int filled = getEndPoint().fill(buffer);
      if (filled != 0) {
        return filled < 0 ? null : buffer;
      }
      try (Blocker.Callback readable = Blocker.callback()) {
        getEndPoint().fillInterested(readable);
        readable.block();
      }
    }
  }

  /** Writes all of it. */
  void write(ByteBuffer data) throws IOException {
    try (Blocker.Callback written = Blocker.callback()) {
      getEndPoint().write(written, data);
      written.block();
    }
  }
}
