package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * An HTTP request for the cluster, or the opening of an application WebSocket (protocol 3.2). What
 * is not there is empty, 0 or false. The text form leaves out query, headers and body.
 *
 * @param method upper case; {@code GET} if none was given
 * @param path decoded
 * @param query raw, without the question mark
 * @param scheme what the user's client spoke; empty if not told
 * @param body the inline body
 * @param bodyBinary whether the body follows as a binary message
 * @param bodySize the informative size of that; -1 if not given
 * @param useStreaming whether the body follows in chunks, under either name
 * @param bodyWindow whether the peer keeps to {@link ProxyRequestWindow} while it sends them; not
 *     part of the protocol, others ignore it
 * @param deadline the absolute end
 * @param timeout positive, from milliseconds or Go duration text
 * @param isWebSocket the flag itself, under either name; see {@link #isWebSocketRequest}
 * @param useZeroCopy accepted and without effect
 * @param headData early bytes after an upgrade request; null if none
 * @param protocol the WebSocket subprotocol
 */
public record ProxyRequest(
    String method,
    String path,
    String query,
    Headers headers,
    String scheme,
    String namespace,
    String serviceName,
    int servicePort,
    Optional<ByteBuffer> body,
    boolean bodyBinary,
    long bodySize,
    boolean useStreaming,
    boolean bodyWindow,
    boolean supportsResponseStreaming,
    boolean supportsStreaming,
    Optional<Instant> deadline,
    Optional<Duration> timeout,
    long rateLimitBps,
    boolean isWebSocket,
    boolean useZeroCopy,
    Optional<ByteBuffer> headData,
    String protocol,
    String clusterId,
    String clusterUuid,
    String agentId)
    implements Payload {
  public static final String TYPE = "proxy_request";

  /** Starts a request from its method and path. */
  public static ProxyRequestBuilder builder(String method, String path) {
    return new ProxyRequestBuilder().method(method).path(path);
  }

  /** A builder that starts with this request's values. */
  public ProxyRequestBuilder toBuilder() {
    return new ProxyRequestBuilder(this);
  }

  /**
   * Parses the payload; optional fields of the wrong type count as missing, and an unparsable
   * deadline or timeout is ignored.
   *
   * @throws ProtocolException if it is not a JSON object, there is none, or its inline body is not
   *     valid base64; name the request with {@link #parse(JsonText, String)}
   */
  public static ProxyRequest parse(JsonText payload) throws ProtocolException {
    return parse(payload, "");
  }

  /** As {@link #parse(JsonText)}; the exception's text names the request. */
  public static ProxyRequest parse(JsonText payload, String requestId) throws ProtocolException {
    String what = requestId.isEmpty() ? TYPE : TYPE + " " + Json.printable(requestId);
    if (payload.isEmpty()) {
      throw new ProtocolException(what + ": no payload");
    }
    return new ProxyRequestReader(payload, what).read();
  }

  /** The inline body; a view with a position of its own. */
  @Override
  public Optional<ByteBuffer> body() {
    return body.map(ByteBuffer::duplicate);
  }

  /** The early bytes; a view with a position of its own. */
  @Override
  public Optional<ByteBuffer> headData() {
    return headData.map(ByteBuffer::duplicate);
  }

  /** Whether the body comes in chunks. */
  public boolean streaming() {
    return useStreaming;
  }

  /** Whether this opens a WebSocket (protocol 4.1). */
  public boolean isWebSocketRequest() {
    if (isWebSocket || !protocol.isBlank()) {
      return true;
    }
    for (String value : headers.values("Upgrade")) {
      if (value.strip().equalsIgnoreCase("websocket")) {
        return true;
      }
    }
    return filled("Sec-WebSocket-Key")
        || filled("Sec-WebSocket-Version")
        || filled("Sec-WebSocket-Protocol");
  }

  private boolean filled(String header) {
    for (String value : headers.values(header)) {
      if (!value.isBlank()) {
        return true;
      }
    }
    return false;
  }

  /** Whether the route context is complete. */
  public boolean routed() {
    return !serviceName.isEmpty() && !namespace.isEmpty() && servicePort > 0;
  }

  /** Whether there is some route context, but not all of it. */
  public boolean partlyRouted() {
    return !routed() && (!serviceName.isEmpty() || !namespace.isEmpty() || servicePort > 0);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "method", method);
    Json.put(json, "path", path);
    Json.putPresent(json, "query", query);
    if (!headers.isEmpty()) {
      json.writeFieldName("headers");
      headers.write(json);
    }
    Json.putPresent(json, "scheme", scheme);
    Json.putPresent(json, "namespace", namespace);
    Json.putPresent(json, "service_name", serviceName);
    Json.putPresent(json, "service_port", servicePort);
    if (body.isPresent() && body.get().hasRemaining()) {
      Base64Text.put(json, "body", body.get());
      json.writeStringField("body_encoding", "base64");
    }
    Json.putPresent(json, "body_binary", bodyBinary);
    if (bodySize >= 0) {
      json.writeNumberField("body_size", bodySize);
    }
    Json.putPresent(json, "use_streaming", useStreaming);
    Json.putPresent(json, "body_window", bodyWindow);
    Json.putPresent(json, "supports_response_streaming", supportsResponseStreaming);
    Json.putPresent(json, "supports_streaming", supportsStreaming);
    if (deadline.isPresent()) {
      json.writeStringField("deadline", deadline.get().toString());
    }
    if (timeout.isPresent()) {
      json.writeNumberField("timeout", Math.max(1, timeout.get().toMillis()));
    }
    Json.putPresent(json, "rate_limit_bps", rateLimitBps);
    Json.putPresent(json, "is_websocket", isWebSocket);
    Json.putPresent(json, "use_zero_copy", useZeroCopy);
    if (headData.isPresent()) {
      Base64Text.put(json, "head_data", headData.get());
    }
    Json.putPresent(json, "protocol", protocol);
    Json.putPresent(json, "cluster_id", clusterId);
    Json.putPresent(json, "cluster_uuid", clusterUuid);
    Json.putPresent(json, "agent_id", agentId);
    json.writeEndObject();
  }

  @Override
  public String toString() {
    return "ProxyRequest["
        + method
        + " "
        + path
        + (serviceName.isEmpty() ? "" : " to " + serviceName + "." + namespace + ":" + servicePort)
        + "]";
  }
}
