package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The streamed form (protocol 3.4.4): bytes leave as they arrive, in chunks of at most 32 KiB. What
 * is there at once goes in one chunk, because a message costs more than its bytes; the header waits
 * for that first chunk, and the last chunk for the end, so that a short answer is one write.
 */
final class StreamedAnswer implements Answer {
  static final int CHUNK = 32 << 10;

  /** A whole answer up to this size is what a person waits for; a larger one must not delay it. */
  private static final long SMALL = 64 << 10;

  private static final int FIRST_BUFFER = 2 << 10;

  private final Sender sender;
  private byte[] buffer = new byte[0];
  private int held;

  StreamedAnswer(Sender sender) {
    this.sender = sender;
  }

  @Override
  public void head(int status, Headers headers, long length) throws Failure, LinkLostException {
    sender.priority(length >= 0 && length <= SMALL ? Priority.INTERACTIVE : Priority.BULK);
    sender.hold(new ProxyResponseHeader(status, headers));
  }

  @Override
  public void body(ByteBuffer data) throws Failure, LinkLostException {
    while (data.hasRemaining()) {
      int room = Math.min(data.remaining(), CHUNK - held);
      if (held + room > buffer.length) {
        int size = Math.max(held + room, Math.max(FIRST_BUFFER, buffer.length * 2));
        buffer = Arrays.copyOf(buffer, Math.min(CHUNK, size));
      }
      data.get(buffer, held, room);
      held += room;
      if (held == CHUNK) {
        flush();
      }
    }
  }

  @Override
  public void flush() throws Failure, LinkLostException {
    chunk();
    sender.release();
  }

  private void chunk() {
    if (held > 0) {
      int size = held;
      held = 0;
      sender.hold(new ProxyResponseChunk(ByteBuffer.wrap(buffer, 0, size)));
    }
  }

  @Override
  public void end() throws Failure, LinkLostException {
    chunk();
    sender.finish(new ProxyResponseEnd());
  }

  @Override
  public void fail(String error) throws LinkLostException {
    sender.finish(new ProxyResponseAbort(error));
  }
}
