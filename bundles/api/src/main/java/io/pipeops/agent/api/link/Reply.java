package io.pipeops.agent.api.link;

import java.nio.ByteBuffer;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The way back to the peer, on the connection that a message came over. It stays valid after {@code
 * handle} has returned, until that connection is gone. Safe for use by several threads.
 */
@ProviderType
public interface Reply {
  /**
   * Makes every further message of this connection whose request id equals the key go straight to
   * the receiver, whatever handler is registered for its type. That is what keeps a stream with the
   * version of a bundle that opened it. Call it inside {@code handle}, before that returns, so that
   * nothing can overtake it.
   *
   * @return false if the key is taken or the connection is gone
   */
  boolean claim(String key, StreamReceiver receiver);

  /** Ends a claim; unknown keys are ignored. */
  void release(String key);

  /**
   * Hands a message to whoever claimed the key, for types that carry their key in the payload.
   *
   * @return false if nobody claimed it
   */
  boolean forward(String key, Message message);

  /**
   * Gives the very next message of this connection to the receiver, if it is binary (protocol
   * 3.2.3). Any other next message is dealt with as usual, after {@link StreamReceiver#lost} was
   * called. Call it inside {@code handle}.
   */
  void expectBinary(StreamReceiver receiver);

  /**
   * Puts a message in the queue of its stream. Blocks while the stream has used up its share of the
   * byte budget, which is how a slow link slows its producers down; so never call it on a reader
   * thread. Use {@link #offer} there.
   *
   * @throws LinkLostException if the connection is gone
   */
  void send(Outgoing message) throws InterruptedException, LinkLostException;

  /**
   * Puts messages of one stream and class in its queue, in their order. Does what {@link
   * #send(Outgoing)} does for each of them, but lets the socket take small ones together, which
   * costs much less.
   *
   * @throws LinkLostException if the connection is gone
   */
  default void send(List<Outgoing> messages) throws InterruptedException, LinkLostException {
    for (Outgoing message : messages) {
      send(message);
    }
  }

  /**
   * Puts a short message of class {@link Priority#CONTROL} in the queue without waiting.
   *
   * @return false if the connection is gone or too many of them wait already
   */
  boolean offer(Outgoing message);

  /** Whether the connection is still there. */
  boolean connected();

  /** A view of bytes for {@link Outgoing} that no one else holds. */
  static ByteBuffer copy(ByteBuffer data) {
    ByteBuffer copy = ByteBuffer.allocate(data.remaining());
    copy.put(data.duplicate()).flip();
    return copy;
  }
}
