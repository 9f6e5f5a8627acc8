package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * Received bytes in order. Large pieces are kept as they came; small ones are copied together, so
 * that a peer that sends single bytes cannot make us hold a buffer for each. For one thread at a
 * time.
 */
final class ReceiveBuffer {
  private static final int KEEP = 4096;
  private static final int PIECE = 2048;

  private final ArrayDeque<ByteBuffer> pieces = new ArrayDeque<>();

  /** The last piece while it is ours to append to: its bytes are before the position. */
  private ByteBuffer tail;

  private int size;

  int size() {
    return size;
  }

  /** Adds bytes; the buffer is ours from now on. */
  void add(ByteBuffer data) {
    size += data.remaining();
    if (tail != null) {
      int fits = Math.min(tail.remaining(), data.remaining());
      tail.put(data.slice(data.position(), fits));
      data.position(data.position() + fits);
      if (!data.hasRemaining()) {
        return;
      }
      closeTail();
    }
    boolean worthKeeping =
        data.remaining() >= KEEP && data.hasArray() && data.array().length <= 2 * data.remaining();
    if (worthKeeping) {
      pieces.add(data);
    } else {
      tail = ByteBuffer.allocate(Math.max(PIECE, data.remaining()));
      tail.put(data);
    }
  }

  private void closeTail() {
    if (tail != null) {
      pieces.add(tail.flip());
      tail = null;
    }
  }

  /** The next piece, the caller's to keep; null if there is none. */
  ByteBuffer take() {
    if (pieces.isEmpty()) {
      closeTail();
    }
    ByteBuffer piece = pieces.poll();
    if (piece != null) {
      size -= piece.remaining();
    }
    return piece;
  }

  /** Copies what is there and fits. */
  int read(ByteBuffer target) {
    int before = target.remaining();
    while (target.hasRemaining() && size > 0) {
      if (pieces.isEmpty()) {
        closeTail();
      }
      ByteBuffer piece = pieces.peek();
      int n = Math.min(target.remaining(), piece.remaining());
      target.put(piece.slice(piece.position(), n));
      piece.position(piece.position() + n);
      size -= n;
      if (!piece.hasRemaining()) {
        pieces.poll();
      }
    }
    return before - target.remaining();
  }

  void clear() {
    pieces.clear();
    tail = null;
    size = 0;
  }
}
