package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A buffered response (protocol 3.4.2).
 *
 * @param body the bytes as they travel inside base64, so compressed if the encoding says so; empty
 *     if there is none
 * @param encoding {@link #BASE64} or {@link #GZIP}; does not matter without a body
 */
public record ProxyResponse(int status, Headers headers, ByteBuffer body, String encoding)
    implements Payload {
  public static final String TYPE = "proxy_response";
  public static final String BASE64 = "base64";
  public static final String GZIP = "gzip";

  public ProxyResponse {
    if (!body.hasRemaining()) {
      encoding = BASE64;
    }
  }

  /** A response without body. */
  public ProxyResponse(int status, Headers headers) {
    this(status, headers, Base64Text.EMPTY, BASE64);
  }

  /** A response whose body is compressed for the tunnel if that is worth it. */
  public static ProxyResponse of(int status, Headers headers, ByteBuffer body) {
    if (TunnelCompression.wanted(
        headers.first("Content-Type", ""),
        headers.first("Content-Encoding", ""),
        body.remaining())) {
      ByteBuffer packed = TunnelCompression.compress(body);
      if (packed.remaining() < body.remaining()) {
        return new ProxyResponse(status, headers, packed, GZIP);
      }
    }
    return new ProxyResponse(status, headers, body, BASE64);
  }

  /** The body as it travels; a view with a position of its own. */
  @Override
  public ByteBuffer body() {
    return body.duplicate();
  }

  /**
   * The body without the tunnel's compression.
   *
   * @param limit the most bytes it may unpack to
   * @throws ProtocolException if it is longer, not gzip, or the encoding is unknown
   */
  public ByteBuffer plainBody(int limit) throws ProtocolException {
    if (!body.hasRemaining() || encoding.equals(BASE64)) {
      return body();
    }
    if (!encoding.equals(GZIP)) {
      throw new ProtocolException(TYPE + ": unknown encoding");
    }
    return TunnelCompression.decompress(body, limit);
  }

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object, has no HTTP status or a broken body
   */
  public static ProxyResponse parse(JsonText payload) throws ProtocolException {
    int status = 0;
    Headers headers = Headers.EMPTY;
    ByteBuffer body = null;
    String encoding = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "status" -> status = in.integer();
        case "headers" -> headers = in.headers();
        case "body" -> body = in.base64();
        case "encoding" -> encoding = in.text();
        default -> {}
      }
    }
    return new ProxyResponse(
        checkedStatus(status, TYPE),
        headers,
        body == null ? Base64Text.EMPTY : body,
        encoding.isEmpty() ? BASE64 : encoding);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    writeHead(json, status, headers);
    if (body.hasRemaining()) {
      Base64Text.put(json, "body", body);
      Json.put(json, "encoding", encoding);
    }
    json.writeEndObject();
  }

  static int checkedStatus(int status, String what) throws ProtocolException {
    if (status < 100 || status > 999) {
      throw new ProtocolException(what + ": no valid status");
    }
    return status;
  }

  static void writeHead(JsonGenerator json, int status, Headers headers) throws IOException {
    json.writeNumberField("status", status);
    json.writeFieldName("headers");
    if (headers.isEmpty()) {
      json.writeNull();
    } else {
      headers.write(json);
    }
  }
}
