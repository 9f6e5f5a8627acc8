package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.TunnelCompression;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/**
 * The buffered JSON form (protocol 3.4.2): one message, whose body must fit in memory. A long text
 * is compressed while it comes, so that only its packed form is kept.
 */
final class BufferedAnswer implements Answer {
  /** Up to here a text is kept plain, to see whether compressing makes it smaller. */
  private static final int TRIAL = 64 << 10;

  private static final int SMALL = 64 << 10;
  private static final int PIECE = 8 << 10;

  private final Sender sender;
  private final int limit;
  private final ByteBudget.Share memory;
  private final byte[] piece = new byte[PIECE];
  private int status;
  private Headers headers = Headers.EMPTY;
  private Bytes plain;
  private Bytes packed;
  private FastGzip gzip;
  private boolean text;
  private long total;

  BufferedAnswer(Sender sender, int limit, ByteBudget.Share memory) {
    this.sender = sender;
    this.limit = limit;
    this.memory = memory;
  }

  @Override
  public void head(int status, Headers headers, long length) throws Failure {
    if (length > limit) {
      throw tooLarge();
    }
    this.status = status;
    this.headers = headers;
    text =
        TunnelCompression.wanted(
            headers.first("Content-Type"), headers.first("Content-Encoding"), limit);
    plain = new Bytes(text ? Math.min(length, TRIAL) : length);
  }

  @Override
  public void body(ByteBuffer data) throws Failure {
    total += data.remaining();
    if (total > limit) {
      throw tooLarge();
    }
    try {
      while (data.hasRemaining()) {
        int n = Math.min(piece.length, data.remaining());
        data.get(piece, 0, n);
        (gzip == null ? plain : gzip).write(piece, 0, n);
      }
      if (text && gzip == null && plain.size > TRIAL) {
        pack();
      }
    } catch (OutOfBudget e) {
      throw noMemory();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Goes over to packing, unless the beginning shows that it does not pay. */
  private void pack() throws IOException {
    packed = new Bytes(plain.size / 2);
    gzip = new FastGzip(packed);
    gzip.write(plain.array, 0, plain.size);
    gzip.flush();
    text = packed.size < plain.size;
    if (text) {
      plain.free();
    } else {
      gzip.close();
      gzip = null;
      packed.free();
    }
  }

  @Override
  public void flush() {}

  @Override
  public void end() throws Failure, LinkLostException {
    ProxyResponse response;
    try {
      if (gzip != null) {
        gzip.close();
        gzip = null;
        response = new ProxyResponse(status, headers, packed.view(), ProxyResponse.GZIP);
      } else {
        response = ProxyResponse.of(status, headers, plain.view());
      }
    } catch (OutOfBudget e) {
      throw noMemory();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    // The message is a third longer than the body, and is copied once while it is put together.
    if (!memory.take(response.body().remaining() / 3 * 8L)) {
      throw noMemory();
    }
    sender.priority(response.body().remaining() <= SMALL ? Priority.INTERACTIVE : Priority.BULK);
    sender.finish(response);
  }

  @Override
  public void fail(String error) throws LinkLostException {
    sender.finish(new ProxyError(error));
  }

  @Override
  public void close() {
    if (gzip != null) {
      gzip.discard();
    }
    memory.close();
  }

  private Failure tooLarge() {
    return new Failure(
        Failure.Reason.MEMORY,
        "answer of more than "
            + limit
            + " bytes cannot be sent in one piece; ask for a streamed response");
  }

  private static Failure noMemory() {
    return new Failure(
        Failure.Reason.MEMORY,
        "no memory left for the answer in one piece; ask for a streamed response");
  }

  /** Bytes within the budget. */
  private final class Bytes extends OutputStream {
    private byte[] array = new byte[0];
    private int size;

    Bytes(long expected) throws Failure {
      try {
        grow((int) Math.clamp(expected, 0, limit));
      } catch (OutOfBudget e) {
        throw noMemory();
      }
    }

    /** For use where the failure is an I/O exception anyway. */
    Bytes(int expected) throws OutOfBudget {
      grow(expected);
    }

    private void grow(int capacity) throws OutOfBudget {
      if (capacity <= array.length) {
        return;
      }
      if (!memory.take(capacity - array.length)) {
        throw new OutOfBudget();
      }
      array = Arrays.copyOf(array, capacity);
    }

    @Override
    public void write(int b) throws OutOfBudget {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] data, int offset, int length) throws OutOfBudget {
      if (size + length > array.length) {
        grow(Math.max(size + length, array.length + array.length / 2));
      }
      System.arraycopy(data, offset, array, size, length);
      size += length;
    }

    ByteBuffer view() {
      return ByteBuffer.wrap(array, 0, size);
    }

    void free() {
      memory.give(array.length);
      array = new byte[0];
      size = 0;
    }
  }

  private static final class OutOfBudget extends IOException {
    private static final long serialVersionUID = 1L;
  }

  /** Speed before size: the link is seldom the narrow place, the agent's CPU limit often is. */
  private static final class FastGzip extends GZIPOutputStream {
    FastGzip(OutputStream out) throws IOException {
      super(out, 8192, true);
      def.setLevel(Deflater.BEST_SPEED);
    }

    /** Frees the native memory without writing. */
    void discard() {
      def.end();
    }
  }
}
