package io.pipeops.agent.api.link;

import java.nio.ByteBuffer;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Takes what the peer sends for one stream, in order. All methods are called on the connection's
 * reader thread: they put the message in a bounded queue of the stream and return at once. A full
 * queue is that stream's own trouble and must not make the reader wait.
 */
@ConsumerType
public interface StreamReceiver {
  /** A further message with the stream's key. */
  void receive(Message message);

  /**
   * The binary message asked for by {@link Reply#expectBinary}; the buffer is the receiver's to
   * keep.
   */
  default void binary(ByteBuffer data) {}

  /**
   * The stream's connection is gone, or the binary message that was due did not come. Called at
   * most once for a lost connection, from any thread.
   */
  void lost(String reason);
}
