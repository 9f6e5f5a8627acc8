package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.TunnelFrame;
import java.nio.ByteBuffer;

/**
 * Keeps a client from sending faster than the cluster takes it: an agent can hold only so much and
 * has no word for "wait" (protocol 4.3). Pings run along with the data, and the API server answers
 * each when it has taken what came before. Some agents keep those answers to themselves; as long as
 * the first one has not come, there is no limit.
 */
final class SendWindow {
  /** What may be on its way, as an agent counts it; they hold 8 MiB of that by default. */
  private static final long WINDOW = 6 << 20;

  private static final long STEP = 512 << 10;

  private long sent;
  private long marked;
  private long taken = -1;
  private boolean over;

  /** The ping that opens the window. */
  static TunnelFrame first() {
    return mark(0);
  }

  private static TunnelFrame mark(long position) {
    return new TunnelFrame(TunnelFrame.PING, ByteBuffer.allocate(8).putLong(position).flip());
  }

  /** What a message of this length takes at an agent: base64 and something around it. */
  private static long cost(int length) {
    return length + length / 3 + 256L;
  }

  /** Waits until so much more may be sent. */
  synchronized void await(int length) throws InterruptedException {
    long size = cost(length);
    while (!over && taken >= 0 && sent > taken && sent + size - taken > WINDOW) {
      wait();
    }
  }

  /**
   * Notes that so much was sent.
   *
   * @return the ping to send next, or null
   */
  synchronized TunnelFrame sent(int length) {
    sent += cost(length);
    if (sent - marked < STEP) {
      return null;
    }
    marked = sent;
    return mark(sent);
  }

  /** An answer to a ping came; one that cannot be true is ignored. */
  synchronized void pong(ByteBuffer payload) {
    if (payload.remaining() == 8) {
      long position = payload.getLong(payload.position());
      if (position > taken && position <= marked) {
        taken = position;
        notifyAll();
      }
    }
  }

  synchronized void close() {
    over = true;
    notifyAll();
  }
}
