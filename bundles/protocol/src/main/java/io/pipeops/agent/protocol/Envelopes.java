package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
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
    return Json.with(buffer, offset, length, WHAT, json -> read(json, buffer, offset));
  }

  private static Message read(JsonParser json, byte[] buffer, int offset) throws IOException {
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw new ProtocolException(WHAT + ": not a JSON object");
    }
    String type = null;
    String requestId = "";
    JsonText payload = JsonText.NONE;
    for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
      JsonToken token = json.nextToken();
      switch (name) {
        case "type" -> type = string(json, token, "type");
        case "request_id" ->
            requestId = token == JsonToken.VALUE_NULL ? "" : string(json, token, "request_id");
        case "payload" -> payload = payload(json, token, buffer, offset);
        default -> json.skipChildren();
      }
    }
    if (json.nextToken() != null) {
      throw new ProtocolException(WHAT + ": something follows the JSON object");
    }
    if (type == null || type.isEmpty()) {
      throw new ProtocolException(WHAT + ": no type");
    }
    return new Message(type, requestId, payload);
  }

  private static String string(JsonParser json, JsonToken token, String name) throws IOException {
    if (token != JsonToken.VALUE_STRING) {
      throw new ProtocolException(WHAT + ": " + name + " is not a string");
    }
    return Json.whole(json.getText());
  }

  private static JsonText payload(JsonParser json, JsonToken token, byte[] buffer, int offset)
      throws IOException {
    if (token == JsonToken.VALUE_NULL) {
      return JsonText.NONE;
    }
    if (token != JsonToken.START_OBJECT) {
      throw new ProtocolException(WHAT + ": payload is not an object");
    }
    int start = (int) json.currentTokenLocation().getByteOffset();
    json.skipChildren();
    int end = (int) json.currentLocation().getByteOffset();
    return new JsonText(buffer, offset + start, end - start);
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
