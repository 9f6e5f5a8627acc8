package io.pipeops.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

/** An agent that does what a test tells it to. */
public final class FakeAgent implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final WebSocketClient client = client();

  public final BlockingQueue<JsonNode> inbox = new LinkedBlockingQueue<>();
  public final CompletableFuture<Integer> closed = new CompletableFuture<>();
  private final Session session;
  private volatile Consumer<JsonNode> script = inbox::add;
  public String clusterId;

  private static WebSocketClient client() {
    try {
      ClientConnector connector = new ClientConnector();
      connector.setSslContextFactory(new SslContextFactory.Client(true));
      WebSocketClient made =
          new WebSocketClient(new HttpClient(new HttpClientTransportOverHTTP(connector)));
      made.setMaxTextMessageSize(64 << 20);
      made.setMaxOutgoingFrames(-1);
      made.start();
      return made;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private FakeAgent(URI uri, String token, Map<String, String> headers) throws Exception {
    ClientUpgradeRequest request = new ClientUpgradeRequest(uri);
    headers.forEach(request::setHeader);
    if (token != null) {
      request.setHeader("Authorization", "Bearer " + token);
    }
    session = client.connect(new Endpoint(), request).get(10, TimeUnit.SECONDS);
  }

  private volatile Consumer<byte[]> binary = bytes -> {};

  /** Connects; a refused upgrade throws an ExecutionException with an UpgradeException. */
  public static FakeAgent connect(URI uri, String token) throws Exception {
    return new FakeAgent(uri, token, Map.of());
  }

  /** As {@link #connect(URI, String)} with further headers. */
  public static FakeAgent connect(URI uri, String token, Map<String, String> headers)
      throws Exception {
    return new FakeAgent(uri, token, headers);
  }

  /** Connects to the controller's endpoint and registers. */
  public static FakeAgent registered(TestHub hub, String name) throws Exception {
    FakeAgent agent = connect(hub.ws("/api/v1/clusters/agent/ws"), "agent-" + name);
    agent.register(name, "");
    JsonNode success = agent.take("register_success");
    agent.clusterId = success.at("/payload/cluster_id").asText();
    return agent;
  }

  /** Public because the WebSocket library calls it. */
  public final class Endpoint implements Session.Listener.AutoDemanding {
    @Override
    public void onWebSocketText(String text) {
      try {
        script.accept(JSON.readTree(text));
      } catch (java.io.IOException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void onWebSocketBinary(ByteBuffer payload, Callback callback) {
      byte[] bytes = new byte[payload.remaining()];
      payload.get(bytes);
      callback.succeed();
      binary.accept(bytes);
    }

    @Override
    public void onWebSocketError(Throwable cause) {
      // The test sees it by the connection's end.
    }

    @Override
    public void onWebSocketClose(int code, String reason, Callback callback) {
      closed.complete(code);
      callback.succeed();
    }
  }

  /** Deals with each binary message on the reader's thread from now on. */
  public void binary(Consumer<byte[]> handler) {
    binary = handler;
  }

  /** Deals with each message on the reader's thread from now on. */
  public void script(Consumer<JsonNode> handler) {
    script = handler;
  }

  /** Answers every request on a thread of its own. */
  public void serve(Consumer<JsonNode> handler) {
    script =
        message -> {
          if (message.path("type").asText().equals("proxy_request")) {
            Thread.ofVirtual().start(() -> handler.accept(message));
          } else {
            inbox.add(message);
          }
        };
  }

  public void register(String name, String clusterId) {
    sendText(
        "{\"type\":\"register\",\"request_id\":\"reg-1\",\"payload\":{\"agent_id\":\"id-"
            + name
            + "\",\"name\":\""
            + name
            + "\",\"agent_version\":\"9.9\",\"k8s_version\":\"v1.34.0\",\"region\":\"NG\","
            + "\"cloud_provider\":\"bare-metal\",\"k8s_service_token\":\"service-token\""
            + (clusterId.isEmpty() ? "" : ",\"cluster_id\":\"" + clusterId + "\"")
            + "},\"timestamp\":\"2026-03-04T10:15:30Z\"}");
  }

  public void heartbeat(String cluster, String name) {
    sendText(
        "{\"type\":\"heartbeat\",\"payload\":{\"cluster_id\":\""
            + cluster
            + "\",\"agent_id\":\"id-"
            + name
            + "\",\"status\":\"healthy\",\"tunnel_status\":\"connected\",\"grafana_password\":\"p\","
            + "\"metadata\":{\"agent_version\":\"9.9\"}},\"timestamp\":\"2026-03-04T10:15:30Z\"}");
  }

  /** The next message, which must be of this type. */
  public JsonNode take(String type) throws InterruptedException {
    JsonNode message = inbox.poll(10, TimeUnit.SECONDS);
    if (message == null || !message.path("type").asText().equals(type)) {
      throw new AssertionError("expected " + type + ", got " + message);
    }
    return message;
  }

  public void send(String requestId, Payload payload) {
    sendText(StandardCharsets.UTF_8.decode(Envelopes.write(requestId, payload)).toString());
  }

  public void sendText(String text) {
    Callback.Completable done = new Callback.Completable();
    session.sendText(text, done);
    done.join();
  }

  public void sendBinary(byte[] data) {
    Callback.Completable done = new Callback.Completable();
    session.sendBinary(ByteBuffer.wrap(data), done);
    done.join();
  }

  public void head(String id, int status, Map<String, String> headers) {
    Headers.Builder builder = Headers.builder();
    headers.forEach(builder::add);
    send(id, new ProxyResponseHeader(status, builder.build()));
  }

  public void chunk(String id, byte[] data) {
    send(id, new ProxyResponseChunk(ByteBuffer.wrap(data)));
  }

  public void chunk(String id, String data) {
    chunk(id, data.getBytes(StandardCharsets.UTF_8));
  }

  public void end(String id) {
    send(id, new ProxyResponseEnd());
  }

  /** A whole streamed answer. */
  public void answer(JsonNode request, int status, String body) {
    String id = request.path("request_id").asText();
    head(id, status, Map.of("Content-Type", "text/plain"));
    if (!body.isEmpty()) {
      chunk(id, body);
    }
    end(id);
  }

  /** Goes away without a word. */
  public void vanish() {
    session.disconnect();
  }

  @Override
  public void close() {
    session.close(1000, "", Callback.NOOP);
  }
}
