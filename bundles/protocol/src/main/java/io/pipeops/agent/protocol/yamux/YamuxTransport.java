package io.pipeops.agent.protocol.yamux;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Where a session's frames go. Every buffer is a whole frame, header and payload together, and the
 * transport's to keep. Called from many threads.
 */
public interface YamuxTransport {
  /**
   * Sends a frame in order with all others of its stream. Blocks while the connection is slow,
   * which is what slows the stream's producer down.
   */
  void data(int stream, ByteBuffer frame) throws IOException, InterruptedException;

  /** Sends a frame that may overtake data, such as a window update. May block. */
  default void control(ByteBuffer frame) throws IOException, InterruptedException {
    if (!offer(frame)) {
      throw new IOException("the connection takes no more control frames");
    }
  }

  /**
   * Queues a frame that may overtake data. Never blocks, as it is called on the connection's reader
   * thread.
   *
   * @return false if the connection is gone or too many wait already, which ends the session
   */
  boolean offer(ByteBuffer frame);

  /**
   * The session is over, once, for this reason. Called from any thread; must not block. Protocol
   * errors of the peer are told to it before.
   */
  default void ended(String reason) {}
}
