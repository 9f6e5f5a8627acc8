package io.pipeops.agent.protocol;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** The gzip layer of buffered responses, which only the two ends of the tunnel see (3.4.2). */
public final class TunnelCompression {
  private static final int MIN_LENGTH = 1024;
  private static final List<String> PACKED =
      List.of("gzip", "compress", "zip", "image/", "video/", "audio/");
  private static final List<String> TEXT =
      List.of("text/", "json", "javascript", "xml", "html", "yaml");

  private TunnelCompression() {}

  /**
   * Whether a body is worth compressing. It must still become smaller by it.
   *
   * @param contentType the response's first Content-Type; null or empty if none
   * @param contentEncoding its Content-Encoding; null or empty if none
   */
  public static boolean wanted(String contentType, String contentEncoding, long length) {
    return length >= MIN_LENGTH
        && contentType != null
        && (contentEncoding == null || contentEncoding.isEmpty())
        && PACKED.stream().noneMatch(contentType::contains)
        && TEXT.stream().anyMatch(contentType::contains);
  }

  /** The bytes as one gzip member. */
  public static ByteBuffer compress(ByteBuffer plain) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(plain.remaining() / 3 + 64);
    try (GZIPOutputStream gzip = new GZIPOutputStream(out, 8192)) {
      byte[] bytes = array(plain);
      gzip.write(bytes, plain.hasArray() ? start(plain) : 0, plain.remaining());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return ByteBuffer.wrap(out.toByteArray());
  }

  /**
   * Unpacks gzip.
   *
   * @throws ProtocolException if it is not gzip or longer than the limit
   */
  public static ByteBuffer decompress(ByteBuffer packed, int limit) throws ProtocolException {
    byte[] bytes = array(packed);
    ByteArrayInputStream in =
        new ByteArrayInputStream(bytes, packed.hasArray() ? start(packed) : 0, packed.remaining());
    ByteArrayOutputStream out = new ByteArrayOutputStream(Math.min(limit, packed.remaining() * 3));
    byte[] piece = new byte[8192];
    try (GZIPInputStream gzip = new GZIPInputStream(in, 8192)) {
      for (int n = gzip.read(piece); n >= 0; n = gzip.read(piece)) {
        if (out.size() + (long) n > limit) {
          throw new ProtocolException("compressed body: longer than " + limit + " bytes");
        }
        out.write(piece, 0, n);
      }
    } catch (ProtocolException e) {
      throw e;
    } catch (IOException e) {
      throw new ProtocolException("compressed body: not valid gzip");
    }
    return ByteBuffer.wrap(out.toByteArray());
  }

  private static int start(ByteBuffer buffer) {
    return buffer.arrayOffset() + buffer.position();
  }

  private static byte[] array(ByteBuffer buffer) {
    if (buffer.hasArray()) {
      return buffer.array();
    }
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
