package io.pipeops.hub.agents;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Puts the fragments of a WebSocket message together (RFC 6455 5.4). Memory grows with what has
 * arrived, never with what a length field promises. For the reader's thread only.
 */
public final class MessageAssembler {
  /** So much may be allocated for a message that may become as long as the last one. */
  private static final int LIKELY = 64 << 10;

  private static final byte[] NONE = {};

  private final int limit;
  private byte[] parts = NONE;
  private int length;
  private int likely;

  /**
   * @param limit longest message in bytes
   */
  public MessageAssembler(int limit) {
    this.limit = limit;
  }

  /** A message grew beyond the limit. */
  public static final class TooLongException extends Exception {
    private static final long serialVersionUID = 1L;
  }

  /**
   * Adds a fragment.
   *
   * @return the whole message, which nothing else holds; null if it is not complete
   */
  public byte[] add(ByteBuffer fragment, boolean last) throws TooLongException {
    int size = fragment == null ? 0 : fragment.remaining();
    if (size > limit - length) {
      throw new TooLongException();
    }
    if (last && length == 0) {
      byte[] whole = new byte[size];
      if (size > 0) {
        fragment.get(whole);
      }
      return whole;
    }
    if (length + size > parts.length) {
      long longer = Math.max(2L * parts.length, length + size);
      parts =
          Arrays.copyOf(
              parts, (int) Math.min(limit, length == 0 ? Math.max(likely, size) : longer));
    }
    if (size > 0) {
      fragment.get(parts, length, size);
    }
    length += size;
    if (!last) {
      return null;
    }
    byte[] whole = length == parts.length ? parts : Arrays.copyOf(parts, length);
    likely = Math.min(length, LIKELY);
    parts = NONE;
    length = 0;
    return whole;
  }
}
