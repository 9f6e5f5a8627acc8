package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A buffered response in a binary message (protocol 3.4.3). Nothing in it tells whether the body is
 * compressed, so we never compress it; some peers do.
 */
public record BinaryResponse(String requestId, int status, Headers headers, ByteBuffer body) {
  private static final String WHAT = "binary response";

  /** The body; a view with a position of its own. */
  @Override
  public ByteBuffer body() {
    return body.duplicate();
  }

  /**
   * Takes a message apart; the body is a slice of it.
   *
   * @throws ProtocolException if it is too short for the lengths in it or its headers are not a
   *     JSON object or null
   */
  public static BinaryResponse parse(ByteBuffer message) throws ProtocolException {
    ByteBuffer in = message.duplicate();
    String requestId = Utf8.read(in, WHAT + ": request id");
    if (in.remaining() < 8) {
      throw new ProtocolException(WHAT + ": too short");
    }
    int status = ProxyResponse.checkedStatus(in.getInt(), WHAT);
    int length = in.getInt();
    if (length < 0 || length > in.remaining()) {
      throw new ProtocolException(WHAT + ": header length beyond the message");
    }
    byte[] json = new byte[length];
    in.get(json);
    return new BinaryResponse(requestId, status, headers(json), in);
  }

  private static Headers headers(byte[] text) throws ProtocolException {
    return Json.with(
        new JsonText(text, 0, text.length),
        WHAT,
        json -> {
          JsonToken token = json.currentToken();
          if (token != JsonToken.START_OBJECT && token != JsonToken.VALUE_NULL) {
            throw new ProtocolException(WHAT + ": headers are not a JSON object");
          }
          return Headers.read(json);
        });
  }

  public ByteBuffer write() {
    byte[] id = requestId.getBytes(StandardCharsets.UTF_8);
    if (id.length > 0xFFFF) {
      throw new IllegalArgumentException("request id of " + id.length + " bytes");
    }
    ByteArrayBuilder out = new ByteArrayBuilder(512);
    try (JsonGenerator json = Json.FACTORY.createGenerator(out)) {
      if (headers.isEmpty()) {
        json.writeNull();
      } else {
        headers.write(json);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    byte[] text = out.toByteArray();
    return ByteBuffer.allocate(10 + id.length + text.length + body.remaining())
        .putShort((short) id.length)
        .put(id)
        .putInt(status)
        .putInt(text.length)
        .put(text)
        .put(body.duplicate())
        .flip();
  }
}
