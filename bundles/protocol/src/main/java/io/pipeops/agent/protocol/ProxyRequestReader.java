package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.pipeops.agent.api.link.JsonText;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.Base64;

/** Reads one {@link ProxyRequest}. */
final class ProxyRequestReader implements Json.FieldReader {
  private static final Duration MAX_TIMEOUT = Duration.ofDays(365);

  private final JsonText payload;
  private final String what;
  private final ProxyRequestBuilder request = new ProxyRequestBuilder();
  private String inlineText = "";
  private ByteBuffer inlineJson;
  private String bodyEncoding = "";
  private boolean streaming;
  private boolean webSocket;
  private boolean zeroCopy;

  ProxyRequestReader(JsonText payload, String what) {
    this.payload = payload;
    this.what = what;
  }

  ProxyRequest read() throws ProtocolException {
    Json.fields(payload, what, this);
    return request
        .useStreaming(streaming)
        .isWebSocket(webSocket)
        .useZeroCopy(zeroCopy)
        .body(body())
        .build();
  }

  @Override
  public void field(String name, JsonParser value) throws IOException {
    switch (name) {
      case "method" -> request.method(Json.text(value));
      case "path" -> request.path(Json.text(value));
      case "query" -> request.query(Json.text(value));
      case "headers" -> request.headers(Headers.read(value));
      case "scheme" -> request.scheme(Json.text(value));
      case "namespace" -> request.namespace(Json.text(value));
      case "service_name" -> request.serviceName(Json.text(value));
      case "service_port" -> request.servicePort(Json.integer(value));
      case "body" -> inline(value);
      case "body_encoding" -> bodyEncoding = Json.text(value);
      case "body_binary" -> request.bodyBinary(Json.bool(value));
      case "body_size" -> request.bodySize(Math.max(-1, Json.number(value, -1)));
      case "use_streaming", "streaming" -> streaming |= Json.bool(value);
      case "supports_response_streaming" -> request.supportsResponseStreaming(Json.bool(value));
      case "supports_streaming" -> request.supportsStreaming(Json.bool(value));
      case "deadline" -> request.deadline(instant(Json.text(value)));
      case "timeout" -> request.timeout(timeout(value));
      case "rate_limit_bps" -> request.rateLimitBps(Math.max(0, Json.number(value, 0)));
      case "is_websocket", "isWebSocket" -> webSocket |= Json.bool(value);
      case "use_zero_copy", "useZeroCopy" -> zeroCopy |= Json.bool(value);
      case "head_data", "headData" -> headData(value);
      case "protocol" -> request.protocol(Json.text(value));
      case "cluster_id" -> request.clusterId(Json.text(value));
      case "cluster_uuid" -> request.clusterUuid(Json.text(value));
      case "agent_id" -> request.agentId(Json.text(value));
      default -> {}
    }
  }

  /** Remembers the body (protocol 3.2.2), because its encoding may come later. */
  private void inline(JsonParser value) throws IOException {
    inlineText = "";
    inlineJson = null;
    if (value.currentToken() == JsonToken.VALUE_STRING) {
      inlineText = value.getText();
    } else if (value.currentToken().isStructStart()) {
      int start = (int) value.currentTokenLocation().getByteOffset();
      value.skipChildren();
      int end = (int) value.currentLocation().getByteOffset();
      inlineJson = ByteBuffer.wrap(payload.bytes(), payload.offset() + start, end - start).slice();
    }
  }

  private ByteBuffer body() throws ProtocolException {
    if (inlineJson != null) {
      return inlineJson;
    }
    if (inlineText.isEmpty()) {
      return null;
    }
    if (!bodyEncoding.equalsIgnoreCase("base64")) {
      return ByteBuffer.wrap(Json.whole(inlineText).getBytes(StandardCharsets.UTF_8));
    }
    try {
      return ByteBuffer.wrap(Base64.getDecoder().decode(inlineText));
    } catch (IllegalArgumentException e) {
      throw new ProtocolException(what + ": body is not valid base64");
    }
  }

  private static Instant instant(String text) {
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeParseException e) {
      return null;
    }
  }

  private static Duration timeout(JsonParser value) throws IOException {
    Duration timeout = Duration.ZERO;
    if (value.currentToken().isNumeric()) {
      double millis = value.getDoubleValue();
      if (millis > 0) {
        timeout = Duration.ofNanos((long) Math.min(millis * 1e6, MAX_TIMEOUT.toNanos()));
      }
    } else {
      timeout = GoDuration.tryParse(Json.text(value)).orElse(timeout);
    }
    return timeout.isPositive() ? timeout : null;
  }

  private void headData(JsonParser value) throws IOException {
    if (value.currentToken() == JsonToken.VALUE_STRING) {
      String text = Json.text(value);
      request.headData(ByteBuffer.wrap(decodeOrRaw(text)));
    } else if (value.currentToken() == JsonToken.START_ARRAY) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      for (JsonToken item = value.nextToken();
          item != JsonToken.END_ARRAY;
          item = value.nextToken()) {
        if (item.isNumeric()) {
          out.write((int) Json.number(value, 0));
        }
        value.skipChildren();
      }
      request.headData(ByteBuffer.wrap(out.toByteArray()));
    }
  }

  private static byte[] decodeOrRaw(String text) {
    try {
      return Base64.getDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
  }
}
