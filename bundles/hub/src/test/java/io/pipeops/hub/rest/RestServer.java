package io.pipeops.hub.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.hub.agents.SessionInfo;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.StoreSettings;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.DoubleSupplier;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.VirtualThreads;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/** The REST API on a real server with a real store, and a client for it. */
final class RestServer implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  final Path home;
  final HubStore store;
  final FakeSessions sessions = new FakeSessions();
  final RestApi api;
  final Server server;
  final String admin;
  final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  RestServer(StoreSettings settings, String externalUrl) throws Exception {
    home = settings.stateDir();
    store = HubStore.open(settings);
    admin = Files.readString(home.resolve("admin.token")).strip();
    api =
        new RestApi(
            store,
            sessions,
            new RestSettings("1.2.3", externalUrl, Optional.of("PEM OF THE CA")),
            new NoMetrics());
    QueuedThreadPool threads = new QueuedThreadPool(16, 2);
    threads.setReservedThreads(0);
    threads.setVirtualThreadsExecutor(VirtualThreads.getNamedVirtualThreadsExecutor("rest-"));
    server = new Server(threads);
    server.addConnector(new ServerConnector(server, 1, 1));
    server.setHandler(new Handler.Sequence(api));
    server.start();
  }

  int port() {
    return ((ServerConnector) server.getConnectors()[0]).getLocalPort();
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
        .timeout(Duration.ofSeconds(30));
  }

  HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(request(path).header("Authorization", "Bearer " + admin));
  }

  HttpResponse<String> call(String method, String path, String body)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        request(path)
            .header("Authorization", "Bearer " + admin)
            .method(
                method,
                body == null
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(body));
    if (body != null) {
      request.header("Content-Type", "application/json");
    }
    return send(request);
  }

  static JsonNode json(HttpResponse<String> response) throws IOException {
    return JSON.readTree(response.body());
  }

  @Override
  public void close() {
    client.shutdownNow();
    try {
      server.stop();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    } finally {
      store.close();
    }
  }

  /** Sessions that a test sets. */
  static final class FakeSessions implements LiveSessions {
    final Map<String, SessionInfo> live = new ConcurrentHashMap<>();
    final List<String> disconnected = new CopyOnWriteArrayList<>();

    void connect(String cluster, String agent) {
      live.put(
          cluster,
          new SessionInfo(
              cluster,
              agent,
              "9.9.9",
              "token",
              SessionInfo.State.CONNECTED,
              false,
              Instant.now(),
              "192.0.2.7:1234",
              Optional.empty(),
              3,
              10,
              20));
    }

    @Override
    public Optional<SessionInfo> find(String clusterId) {
      return Optional.ofNullable(live.get(clusterId));
    }

    @Override
    public int count() {
      return live.size();
    }

    @Override
    public void disconnect(String clusterId, String reason) {
      disconnected.add(clusterId);
    }

    @Override
    public void disconnectCredential(String tokenId, String reason) {
      disconnected.add(tokenId);
    }
  }

  /** Numbers that nobody looks at. */
  static final class NoMetrics implements Metrics {
    @Override
    public Counter counter(String name, String help, String... labels) {
      return amount -> {};
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      return value -> {};
    }
  }
}
