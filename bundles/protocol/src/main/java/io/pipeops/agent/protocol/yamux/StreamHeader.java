package io.pipeops.agent.protocol.yamux;

import io.pipeops.agent.protocol.ProtocolException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * What the gateway sends first on every stream: where it is to go (protocol 5.4). Names are not
 * validated here beyond their length.
 *
 * <p>Two protocols are ours, and used only between peers that have said that they know them: {@link
 * #API} and {@link #DATAGRAMS}.
 *
 * @param protocol {@link #TCP}, {@link #UDP}, {@link #API} or {@link #DATAGRAMS}
 * @param port 0 to 65535
 * @param tunnelId for logs
 */
public record StreamHeader(
    int protocol, int port, String service, String namespace, String tunnelId) {
  public static final int TCP = 1;
  public static final int UDP = 2;

  /** HTTP/1.1 to the cluster's API server, to which the agent adds TLS. */
  public static final int API = 3;

  /** UDP, each datagram with its length before it as two bytes. */
  public static final int DATAGRAMS = 4;

  private static final int VERSION = 1;

  /** The longest text accepted; Kubernetes names have 253 characters at most. */
  private static final int MAX_TEXT = 1024;

  private static final String WHAT = "stream header: ";

  /**
   * Reads the header off a stream, not a byte more.
   *
   * @param limit for all of it
   * @throws ProtocolException if it is none, or the stream ends within it
   * @throws SocketTimeoutException if it did not come in time
   */
  public static StreamHeader read(YamuxStream stream, Duration limit)
      throws IOException, InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    ByteBuffer fixed = fill(stream, 4, end);
    if (fixed.get() != VERSION) {
      throw new ProtocolException(WHAT + "unknown version");
    }
    int protocol = fixed.get();
    if (protocol < TCP || protocol > DATAGRAMS) {
      throw new ProtocolException(WHAT + "unknown protocol " + (protocol & 0xFF));
    }
    int port = fixed.getShort() & 0xFFFF;
    return new StreamHeader(
        protocol, port, text(stream, end), text(stream, end), text(stream, end));
  }

  private static String text(YamuxStream stream, long end)
      throws IOException, InterruptedException {
    int length = fill(stream, 2, end).getShort() & 0xFFFF;
    if (length > MAX_TEXT) {
      throw new ProtocolException(WHAT + "text of " + length + " bytes");
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(fill(stream, length, end)).toString();
    } catch (CharacterCodingException e) {
      throw new ProtocolException(WHAT + "text is not UTF-8");
    }
  }

  private static ByteBuffer fill(YamuxStream stream, int length, long end)
      throws IOException, InterruptedException {
    ByteBuffer target = ByteBuffer.allocate(length);
    while (target.hasRemaining()) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        throw new SocketTimeoutException(WHAT + "not received in time");
      }
      if (stream.read(target, Duration.ofNanos(left)) < 0) {
        throw new ProtocolException(WHAT + "the stream ends within it");
      }
    }
    return target.flip();
  }

  /**
   * The header as it goes over the wire.
   *
   * @throws IllegalArgumentException if a text is too long
   */
  public ByteBuffer write() {
    byte[][] texts = {utf8(service), utf8(namespace), utf8(tunnelId)};
    int length = 4;
    for (byte[] text : texts) {
      length += 2 + text.length;
    }
    ByteBuffer out = ByteBuffer.allocate(length);
    out.put((byte) VERSION).put((byte) protocol).putShort((short) port);
    for (byte[] text : texts) {
      out.putShort((short) text.length).put(text);
    }
    return out.flip();
  }

  private static byte[] utf8(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > MAX_TEXT) {
      throw new IllegalArgumentException(WHAT + "text of " + bytes.length + " bytes");
    }
    return bytes;
  }
}
