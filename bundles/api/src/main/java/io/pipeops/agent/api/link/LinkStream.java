package io.pipeops.agent.api.link;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.osgi.annotation.versioning.ProviderType;

/**
 * One byte stream between the peer and a handler (protocol 5.3). Straight blocking calls, meant for
 * virtual threads: one thread may read while another one writes. Every method fails with an {@link
 * IOException} once the stream was reset or the connection is gone.
 */
@ProviderType
public interface LinkStream {
  /** Its number on its connection, for logs. */
  int id();

  /**
   * Reads what has arrived, at least one byte, waiting for it without limit.
   *
   * @return how many bytes; -1 at the peer's end of data
   */
  int read(ByteBuffer target) throws IOException, InterruptedException;

  /**
   * The next bytes as they lie in memory, the caller's to keep.
   *
   * @param limit how long to wait; zero means without limit
   * @return null at the peer's end of data
   * @throws java.net.SocketTimeoutException if nothing arrived in time
   */
  ByteBuffer take(Duration limit) throws IOException, InterruptedException;

  /** Writes all the bytes, waiting for the peer's window and the connection. */
  void write(ByteBuffer data) throws IOException, InterruptedException;

  /** Ends this side's data after all that was written; the peer's may go on. */
  void shutdownOutput() throws IOException, InterruptedException;

  /**
   * Has something done once when the stream can no longer be used: it was reset by either side, its
   * connection is gone, or it was closed. At once, if that is so already. The action runs on any
   * thread, also the connection's reader, so it must not block. Later calls replace it.
   */
  void whenOver(Runnable action);

  /** Ends both directions at once, telling the peer; wakes whoever waits. Does not wait. */
  void reset();
}
