package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.pipeops.agent.api.link.JsonText;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;

/** Reads one {@link ProxyRequest}. */
final class ProxyRequestReader {
  private static final Duration MAX_TIMEOUT = Duration.ofDays(365);

  private final JsonText payload;
  private final String what;
  private final ProxyRequestBuilder request = new ProxyRequestBuilder();
  private JsonFields body;
  private String bodyEncoding = "";
  private boolean streaming;
  private boolean webSocket;
  private boolean zeroCopy;

  ProxyRequestReader(JsonText payload, String what) {
    this.payload = payload;
    this.what = what;
  }

  ProxyRequest read() throws ProtocolException {
    JsonFields in = new JsonFields(payload, what);
    while (in.next()) {
      field(in);
    }
    return request
        .useStreaming(streaming)
        .isWebSocket(webSocket)
        .useZeroCopy(zeroCopy)
        .body(inlineBody())
        .build();
  }

  private void field(JsonFields in) throws ProtocolException {
    switch (in.name()) {
      case "method" -> request.method(in.text());
      case "path" -> request.path(in.text());
      case "query" -> request.query(in.text());
      case "headers" -> request.headers(in.headers());
      case "scheme" -> request.scheme(in.text());
      case "namespace" -> request.namespace(in.text());
      case "service_name" -> request.serviceName(in.text());
      case "service_port" -> request.servicePort(in.integer());
      case "body" -> body = in.keep(); // its encoding may come later
      case "body_encoding" -> bodyEncoding = in.text();
      case "body_binary" -> request.bodyBinary(in.bool());
      case "body_size" -> request.bodySize(Math.max(-1, in.number(-1)));
      case "use_streaming", "streaming" -> streaming |= in.bool();
      case "body_window" -> request.bodyWindow(in.bool());
      case "supports_response_streaming" -> request.supportsResponseStreaming(in.bool());
      case "supports_streaming" -> request.supportsStreaming(in.bool());
      case "deadline" -> request.deadline(instant(in.text()));
      case "timeout" -> request.timeout(timeout(in));
      case "rate_limit_bps" -> request.rateLimitBps(Math.max(0, in.number(0)));
      case "is_websocket", "isWebSocket" -> webSocket |= in.bool();
      case "use_zero_copy", "useZeroCopy" -> zeroCopy |= in.bool();
      case "head_data", "headData" -> request.headData(headData(in));
      case "protocol" -> request.protocol(in.text());
      case "cluster_id" -> request.clusterId(in.text());
      case "cluster_uuid" -> request.clusterUuid(in.text());
      case "agent_id" -> request.agentId(in.text());
      default -> {}
    }
  }

  /** The body by the table of protocol 3.2.2; null if there is none. */
  private ByteBuffer inlineBody() throws ProtocolException {
    if (body == null) {
      return null;
    }
    if (body.isObject() || body.isArray()) {
      JsonText json = body.json();
      return ByteBuffer.wrap(json.bytes(), json.offset(), json.length()).slice();
    }
    ByteBuffer bytes = bodyEncoding.equalsIgnoreCase("base64") ? body.base64() : body.utf8();
    return bytes == null || !bytes.hasRemaining() ? null : bytes;
  }

  private static Instant instant(String text) {
    try {
      return text.isEmpty() ? null : OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeException e) {
      return null;
    }
  }

  private static Duration timeout(JsonFields in) {
    Duration timeout = Duration.ZERO;
    if (in.isText()) {
      timeout = GoDuration.tryParse(in.text()).orElse(Duration.ZERO);
    } else if (in.real() > 0) {
      timeout = Duration.ofNanos((long) Math.min(in.real() * 1e6, MAX_TIMEOUT.toNanos()));
    }
    return timeout.isPositive() ? timeout : null;
  }

  /** Base64 if it decodes, else the text itself, or a list of byte numbers. */
  private ByteBuffer headData(JsonFields in) throws ProtocolException {
    if (in.isArray()) {
      return Json.with(in.json(), what + ": head_data", ProxyRequestReader::byteNumbers);
    }
    try {
      return in.base64();
    } catch (ProtocolException e) {
      return in.utf8();
    }
  }

  private static ByteBuffer byteNumbers(JsonParser json) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (JsonToken item = json.nextToken(); item != JsonToken.END_ARRAY; item = json.nextToken()) {
      if (item == JsonToken.VALUE_NUMBER_INT) {
        out.write(json.getNumberType() == JsonParser.NumberType.INT ? json.getIntValue() : 0);
      }
      json.skipChildren();
    }
    return ByteBuffer.wrap(out.toByteArray());
  }
}
