package io.pipeops.agent.protocol;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/** Collects the fields of a {@link ProxyRequest}. For one thread. */
public final class ProxyRequestBuilder {
  private String method = "GET";
  private String path = "";
  private String query = "";
  private Headers headers = Headers.EMPTY;
  private String scheme = "";
  private String namespace = "";
  private String serviceName = "";
  private int servicePort;
  private Optional<ByteBuffer> body = Optional.empty();
  private boolean bodyBinary;
  private long bodySize = -1;
  private boolean useStreaming;
  private boolean bodyWindow;
  private boolean supportsResponseStreaming;
  private boolean supportsStreaming;
  private Optional<Instant> deadline = Optional.empty();
  private Optional<Duration> timeout = Optional.empty();
  private long rateLimitBps;
  private boolean isWebSocket;
  private boolean useZeroCopy;
  private Optional<ByteBuffer> headData = Optional.empty();
  private String protocol = "";
  private String clusterId = "";
  private String clusterUuid = "";
  private String agentId = "";

  ProxyRequestBuilder() {}

  ProxyRequestBuilder(ProxyRequest from) {
    method = from.method();
    path = from.path();
    query = from.query();
    headers = from.headers();
    scheme = from.scheme();
    namespace = from.namespace();
    serviceName = from.serviceName();
    servicePort = from.servicePort();
    body = from.body();
    bodyBinary = from.bodyBinary();
    bodySize = from.bodySize();
    useStreaming = from.useStreaming();
    bodyWindow = from.bodyWindow();
    supportsResponseStreaming = from.supportsResponseStreaming();
    supportsStreaming = from.supportsStreaming();
    deadline = from.deadline();
    timeout = from.timeout();
    rateLimitBps = from.rateLimitBps();
    isWebSocket = from.isWebSocket();
    useZeroCopy = from.useZeroCopy();
    headData = from.headData();
    protocol = from.protocol();
    clusterId = from.clusterId();
    clusterUuid = from.clusterUuid();
    agentId = from.agentId();
  }

  public ProxyRequestBuilder method(String value) {
    method = value.isEmpty() ? "GET" : value.toUpperCase(Locale.ROOT);
    return this;
  }

  public ProxyRequestBuilder path(String value) {
    path = value;
    return this;
  }

  public ProxyRequestBuilder query(String value) {
    query = value;
    return this;
  }

  public ProxyRequestBuilder headers(Headers value) {
    headers = value;
    return this;
  }

  public ProxyRequestBuilder scheme(String value) {
    scheme = value;
    return this;
  }

  public ProxyRequestBuilder namespace(String value) {
    namespace = value;
    return this;
  }

  public ProxyRequestBuilder serviceName(String value) {
    serviceName = value;
    return this;
  }

  public ProxyRequestBuilder servicePort(int value) {
    servicePort = value;
    return this;
  }

  public ProxyRequestBuilder body(ByteBuffer value) {
    body = Optional.ofNullable(value);
    return this;
  }

  public ProxyRequestBuilder bodyBinary(boolean value) {
    bodyBinary = value;
    return this;
  }

  public ProxyRequestBuilder bodySize(long value) {
    bodySize = value;
    return this;
  }

  public ProxyRequestBuilder useStreaming(boolean value) {
    useStreaming = value;
    return this;
  }

  public ProxyRequestBuilder bodyWindow(boolean value) {
    bodyWindow = value;
    return this;
  }

  public ProxyRequestBuilder supportsResponseStreaming(boolean value) {
    supportsResponseStreaming = value;
    return this;
  }

  public ProxyRequestBuilder supportsStreaming(boolean value) {
    supportsStreaming = value;
    return this;
  }

  public ProxyRequestBuilder deadline(Instant value) {
    deadline = Optional.ofNullable(value);
    return this;
  }

  public ProxyRequestBuilder timeout(Duration value) {
    timeout = Optional.ofNullable(value);
    return this;
  }

  public ProxyRequestBuilder rateLimitBps(long value) {
    rateLimitBps = value;
    return this;
  }

  public ProxyRequestBuilder isWebSocket(boolean value) {
    isWebSocket = value;
    return this;
  }

  public ProxyRequestBuilder useZeroCopy(boolean value) {
    useZeroCopy = value;
    return this;
  }

  public ProxyRequestBuilder headData(ByteBuffer value) {
    headData = Optional.ofNullable(value);
    return this;
  }

  public ProxyRequestBuilder protocol(String value) {
    protocol = value;
    return this;
  }

  public ProxyRequestBuilder clusterId(String value) {
    clusterId = value;
    return this;
  }

  public ProxyRequestBuilder clusterUuid(String value) {
    clusterUuid = value;
    return this;
  }

  public ProxyRequestBuilder agentId(String value) {
    agentId = value;
    return this;
  }

  /** Sets the whole route context. */
  public ProxyRequestBuilder route(String namespace, String serviceName, int servicePort) {
    return namespace(namespace).serviceName(serviceName).servicePort(servicePort);
  }

  public ProxyRequest build() {
    return new ProxyRequest(
        method,
        path,
        query,
        headers,
        scheme,
        namespace,
        serviceName,
        servicePort,
        body,
        bodyBinary,
        bodySize,
        useStreaming,
        bodyWindow,
        supportsResponseStreaming,
        supportsStreaming,
        deadline,
        timeout,
        rateLimitBps,
        isWebSocket,
        useZeroCopy,
        headData,
        protocol,
        clusterId,
        clusterUuid,
        agentId);
  }
}
