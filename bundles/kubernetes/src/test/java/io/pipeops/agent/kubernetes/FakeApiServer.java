package io.pipeops.agent.kubernetes;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/** As much of an API server as the bundle talks to, over a real socket, with faults on demand. */
final class FakeApiServer implements AutoCloseable {
  /** What the server says instead of doing its work. */
  record Fault(int status, String retryAfter, String body) {
    static Fault of(int status) {
      return new Fault(status, "", "{\"message\":\"fault " + status + "\"}");
    }
  }

  /** A request as it came. */
  record Asked(String method, String path, String token, String body) {}

  final List<Asked> asked = Collections.synchronizedList(new ArrayList<>());
  final Map<String, Map<String, Object>> objects = new ConcurrentHashMap<>();
  final ConcurrentLinkedQueue<Fault> faults = new ConcurrentLinkedQueue<>();
  volatile Fault permanent;
  volatile boolean silent;
  volatile String managingToken = "";

  /** Requests whose method and path contain this are forbidden; empty forbids nothing. */
  volatile String forbidden = "";

  /**
   * Requests whose path contains this fail as those of a server in trouble; empty fails nothing.
   */
  volatile String failing = "";

  private final Map<String, BlockingQueue<String>> watches = new ConcurrentHashMap<>();

  /** Called before a write is done, to play another writer. */
  volatile Runnable beforeWrite = () -> {};

  private static final String NOT_FOUND = "{\"reason\":\"NotFound\"}";

  private final HttpServer server;
  private final boolean tls;
  private final AtomicLong versions = new AtomicLong(100);

  FakeApiServer() throws IOException {
    this(null, 0);
  }

  /**
   * Listens with TLS if there is a context.
   *
   * @param groups the only groups of key agreement that it knows; none is the usual ones
   */
  FakeApiServer(SSLContext context, int port, String... groups) throws IOException {
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    tls = context != null;
    if (tls) {
      HttpsServer https = HttpsServer.create(address, 0);
      https.setHttpsConfigurator(
          new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters parameters) {
              SSLParameters wanted = context.getDefaultSSLParameters();
              wanted.setWantClientAuth(true);
              if (groups.length > 0) {
                wanted.setNamedGroups(groups);
              }
              parameters.setSSLParameters(wanted);
            }
          });
      server = https;
    } else {
      server = HttpServer.create(address, 0);
    }
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::handle);
    server.start();
    Map<String, Object> system = new LinkedHashMap<>();
    Json.grow(system, "metadata").put("uid", "0c7e2a52-uid");
    objects.put("/api/v1/namespaces/kube-system", system);
    namespace("pipeops-system");
  }

  void namespace(String name) {
    objects.put("/api/v1/namespaces/" + name, new LinkedHashMap<>(Map.of("kind", "Namespace")));
  }

  String base() {
    return (tls ? "https" : "http") + "://127.0.0.1:" + port();
  }

  int port() {
    return server.getAddress().getPort();
  }

  long count(String method, String part) {
    return List.copyOf(asked).stream()
        .filter(request -> request.method.equals(method) && request.path.contains(part))
        .count();
  }

  private void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().toString();
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    String token = exchange.getRequestHeaders().getFirst("Authorization");
    asked.add(new Asked(exchange.getRequestMethod(), path, token == null ? "" : token, body));
    if (silent) {
      return;
    }
    Fault fault = permanent == null ? faults.poll() : permanent;
    if (fault != null) {
      if (!fault.retryAfter.isEmpty()) {
        exchange.getResponseHeaders().set("Retry-After", fault.retryAfter);
      }
      answer(exchange, fault.status, fault.body);
      return;
    }
    if (!failing.isEmpty() && path.contains(failing)) {
      answer(exchange, 500, "{\"message\":\"etcdserver: request timed out\"}");
    } else if (!forbidden.isEmpty()
        && (exchange.getRequestMethod() + " " + path).contains(forbidden)) {
      answer(exchange, 403, "{\"message\":\"leases is forbidden\",\"reason\":\"Forbidden\"}");
    } else if (path.contains("?watch=1")) {
      watch(exchange, path);
    } else if (path.equals("/version")) {
      answer(exchange, 200, "{\"major\":\"1\",\"gitVersion\":\"v1.34.9\"}");
    } else if (path.endsWith("selfsubjectaccessreviews")) {
      boolean allowed = ("Bearer " + managingToken).equals(token);
      answer(exchange, 201, "{\"status\":{\"allowed\":" + allowed + "}}");
    } else {
      store(exchange, path, body);
    }
  }

  private void watch(HttpExchange exchange, String path) throws IOException {
    String name = path.replaceAll(".*metadata.name%3D([^&]*).*", "$1");
    String key = path.substring(0, path.indexOf('?')) + "/" + name;
    BlockingQueue<String> events = new LinkedBlockingQueue<>();
    watches.put(key, events);
    Map<String, Object> now = objects.get(key);
    if (now == null) {
      events.add(event("DELETED", Map.of()));
    } else if (!path.contains("resourceVersion=" + version(now) + "&")) {
      events.add(event("MODIFIED", now));
    }
    exchange.sendResponseHeaders(200, 0);
    try (exchange) {
      while (true) {
        exchange.getResponseBody().write(events.take().getBytes(StandardCharsets.UTF_8));
        exchange.getResponseBody().flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String event(String type, Map<String, Object> object) {
    return "{\"type\":\"" + type + "\",\"object\":" + text(object) + "}\n";
  }

  /** Sends a line to whoever watches an object. */
  void event(String path, String line) {
    BlockingQueue<String> watch = watches.get(path);
    if (watch != null) {
      watch.add(line);
    }
  }

  boolean watched(String path) {
    return watches.containsKey(path);
  }

  void delete(String path) {
    Map<String, Object> gone = objects.remove(path);
    event(path, event("DELETED", gone));
  }

  private synchronized void store(HttpExchange exchange, String path, String body)
      throws IOException {
    switch (exchange.getRequestMethod()) {
      case "GET" -> {
        Map<String, Object> found = objects.get(path);
        answer(exchange, found == null ? 404 : 200, found == null ? NOT_FOUND : text(found));
      }
      case "POST" -> {
        beforeWrite.run();
        Map<String, Object> object = Json.read(body.getBytes(StandardCharsets.UTF_8));
        String name = path + "/" + Json.text(Json.child(object, "metadata"), "name");
        int namespaces = path.indexOf("/namespaces/");
        if (namespaces >= 0 && !objects.containsKey(path.substring(0, path.lastIndexOf('/')))) {
          answer(exchange, 404, "{\"message\":\"namespaces not found\"}");
        } else if (objects.containsKey(name)) {
          answer(exchange, 409, "{}");
        } else {
          answer(exchange, 201, text(put(name, object)));
        }
      }
      case "PUT" -> {
        beforeWrite.run();
        Map<String, Object> object = Json.read(body.getBytes(StandardCharsets.UTF_8));
        Map<String, Object> present = objects.get(path);
        if (present == null) {
          answer(exchange, 404, NOT_FOUND);
        } else if (!version(present).equals(version(object))) {
          answer(exchange, 409, "{\"message\":\"conflict\"}");
        } else {
          answer(exchange, 200, text(put(path, object)));
        }
      }
      default -> answer(exchange, 405, "{}");
    }
  }

  /** Puts an object as somebody else would. */
  Map<String, Object> put(String path, Map<String, Object> object) {
    Json.grow(object, "metadata").put("resourceVersion", "" + versions.incrementAndGet());
    objects.put(path, object);
    event(path, event("MODIFIED", object));
    return object;
  }

  private static String version(Map<String, Object> object) {
    return Json.text(Json.child(object, "metadata"), "resourceVersion");
  }

  private static String text(Map<String, Object> object) {
    return new String(Json.write(object), StandardCharsets.UTF_8);
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
