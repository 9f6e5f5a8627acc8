package io.pipeops.agent.link;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.eclipse.jetty.io.ByteBufferPool;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.websocket.core.Frame;

/**
 * A frame that masks itself with the key that Jetty makes for it (RFC 6455, 5.3). Jetty's own loop
 * takes four bytes at a time and moves a position for each of them, which is half of what sending
 * costs without TLS; this one takes eight. To Jetty it is masked until the key was asked for, which
 * it does once, when it writes the header; from then on the payload passes as it is.
 */
final class MaskedFrame extends Frame {
  /** A shorter payload is not worth a buffer of its own. */
  private static final int LEAST = 1 << 10;

  private static final int KEY = 4;

  private final ByteBufferPool pool;
  private RetainableByteBuffer masked;
  private boolean told;

  private MaskedFrame(byte opcode, ByteBuffer payload, ByteBufferPool pool) {
    super(opcode, payload);
    this.pool = pool;
  }

  /** A frame with this payload, which is not changed; a plain one if it is short. */
  static Frame of(byte opcode, ByteBuffer payload, ByteBufferPool pool) {
    return payload.remaining() < LEAST
        ? new Frame(opcode, payload)
        : new MaskedFrame(opcode, payload, pool);
  }

  /** Gives the memory of a frame back that was sent, or never will be. */
  static void release(Frame frame) {
    if (frame instanceof MaskedFrame own && own.masked != null) {
      own.masked.release();
      own.masked = null;
    }
  }

  @Override
  public Frame setMask(byte[] key) {
    super.setMask(key);
    ByteBuffer plain = getPayload();
    masked = pool.acquire(plain.remaining(), true);
    ByteBuffer to = masked.getByteBuffer();
    BufferUtil.clearToFill(to);
    to.limit(plain.remaining());
    ByteBuffer view = to.slice();
    mask(plain.slice(), view, key);
    // A view, so that the buffer is as it was when it is given back.
    return setPayload(view);
  }

  /** For both buffers from their beginnings to the end of the first. */
  private static void mask(ByteBuffer from, ByteBuffer to, byte[] key) {
    from.order(ByteOrder.nativeOrder());
    to.order(ByteOrder.nativeOrder());
    long twice = ByteBuffer.allocate(Long.BYTES).put(key).put(key).order(from.order()).getLong(0);
    int length = from.remaining();
    int i = 0;
    for (; i <= length - Long.BYTES; i += Long.BYTES) {
      to.putLong(i, from.getLong(i) ^ twice);
    }
    for (; i < length; i++) {
      to.put(i, (byte) (from.get(i) ^ key[i % KEY]));
    }
  }

  @Override
  public boolean isMasked() {
    return !told && super.isMasked();
  }

  @Override
  public byte[] getMask() {
    told = true;
    return super.getMask();
  }
}
