package io.pipeops.agent.api.link;

import java.nio.charset.StandardCharsets;

/**
 * A slice of UTF-8 JSON text inside a larger buffer. It is not copied: the receiver reads it and
 * must not change it. It may be kept for as long as it is needed.
 *
 * @param bytes the buffer
 * @param offset where the text begins
 * @param length its length in bytes; 0 if there is no text
 */
public record JsonText(byte[] bytes, int offset, int length) {
  /** No text at all, as of an envelope without payload. */
  public static final JsonText NONE = new JsonText(new byte[0], 0, 0);

  /** Wraps text of which nothing else holds the bytes. */
  public static JsonText of(String json) {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    return new JsonText(bytes, 0, bytes.length);
  }

  public boolean isEmpty() {
    return length == 0;
  }

  /** The text, for logs and tests. It may hold secrets of the peer: never log it above DEBUG. */
  @Override
  public String toString() {
    return new String(bytes, offset, length, StandardCharsets.UTF_8);
  }
}
