package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/** The envelope around every JSON message (protocol 2.2). */
public final class Envelopes {
  /** The longest message that is parsed at all, in bytes. A link may set a lower limit. */
  public static final int MAX_MESSAGE = 64 << 20;

  private static final String WHAT = "envelope";

  private Envelopes() {}

  /**
   * Parses one message. The payload is a slice of the buffer, which therefore must not change while
   * the message is in use. Unknown fields and any {@code timestamp} are tolerated.
   *
   * @throws ProtocolException if it is not one JSON object in UTF-8 with a non-empty string {@code
   *     type}, a string {@code request_id} if any, and an object or null as {@code payload} if any
   */
  public static Message parse(byte[] buffer, int offset, int length) throws ProtocolException {
    if (length > MAX_MESSAGE) {
      throw new ProtocolException(WHAT + ": longer than " + MAX_MESSAGE + " bytes");
    }
    String type = "";
    String requestId = "";
    JsonText payload = JsonText.NONE;
    JsonFields in = new JsonFields(buffer, offset, length, WHAT);
    while (in.next()) {
      switch (in.name()) {
        case "type" -> type = string(in);
        case "request_id" -> requestId = in.isNull() ? "" : string(in);
        case "payload" -> payload = payload(in);
        default -> {}
      }
    }
    if (type.isEmpty()) {
      throw new ProtocolException(WHAT + (length == 0 ? ": empty" : ": no type"));
    }
    return new Message(type, requestId, payload);
  }

  private static String string(JsonFields in) throws ProtocolException {
    if (!in.isText()) {
      throw new ProtocolException(WHAT + ": " + in.name() + " is not a string");
    }
    return in.text();
  }

  private static JsonText payload(JsonFields in) throws ProtocolException {
    if (in.isNull()) {
      return JsonText.NONE;
    }
    if (!in.isObject()) {
      throw new ProtocolException(WHAT + ": payload is not an object");
    }
    return in.json();
  }

  /**
   * Writes a complete message with the present time.
   *
   * @param requestId the envelope's request id; none if it is empty
   */
  public static ByteBuffer write(String requestId, Payload payload) {
    return write(payload.type(), requestId, payload);
  }

  /** As {@link #write(String, Payload)} under another type name, for synonyms of one message. */
  public static ByteBuffer write(String type, String requestId, Payload payload) {
    ByteBuffer data = DataWriter.write(type, requestId, payload);
    return data != null ? data : writeAny(type, requestId, payload);
  }

  /** The general way, for any payload. */
  static ByteBuffer writeAny(String type, String requestId, Payload payload) {
    ByteArrayBuilder out = new ByteArrayBuilder(512);
    try (JsonGenerator json = Json.FACTORY.createGenerator(out)) {
      json.writeStartObject();
      Json.put(json, "type", type);
      Json.putPresent(json, "request_id", requestId);
      json.writeFieldName("payload");
      payload.write(json);
      json.writeStringField("timestamp", Timestamps.now());
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return ByteBuffer.wrap(out.toByteArray());
  }
}
