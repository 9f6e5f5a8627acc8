package io.pipeops.agent.sandbox;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes each request to a virtual thread of its own, checks who asks, and finds who answers. */
final class ApiHandler extends Handler.Abstract {
  private static final Logger log = LoggerFactory.getLogger(ApiHandler.class);
  private static final int MAX_REQUESTS = 1000;
  private static final List<String> OPEN = List.of("healthz", "livez", "readyz", "version");

  private final Tokens tokens;
  private final ResourceCatalog catalog;
  private final Discovery discovery;
  private final OpenApi openApi;
  private final ProtobufBody protobuf;
  private final Reads reads;
  private final Watches watches;
  private final Writes writes;
  private final Subresources subresources;
  private final Reviews reviews;
  private final UsageMetrics usage;
  private final Semaphore free = new Semaphore(MAX_REQUESTS);

  ApiHandler(Resources resources, Tokens tokens) {
    this.tokens = tokens;
    this.catalog = resources.catalog();
    this.discovery = new Discovery(catalog);
    Schemas schemas = new Schemas();
    this.protobuf = new ProtobufBody(catalog, schemas);
    this.openApi = new OpenApi(catalog, schemas);
    TableRenderer tables = new TableRenderer(resources::now);
    this.reads = new Reads(resources.store(), tables);
    this.watches = new Watches(resources.store(), tables);
    this.writes = new Writes(resources, reads, schemas);
    this.subresources = new Subresources(resources, reads, writes, new PodLog(resources), tokens);
    this.reviews = new Reviews(tokens);
    this.usage = new UsageMetrics(resources);
  }

  int watches() {
    return watches.open();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    Exchange exchange = new Exchange(request, response, callback, protobuf);
    if (!free.tryAcquire()) {
      exchange.fail(ApiException.tooManyRequests("%d requests are open".formatted(MAX_REQUESTS)));
      return true;
    }
    Thread.ofVirtual()
        .name("sandbox-request")
        .start(
            () -> {
              try {
                serve(exchange);
              } catch (ApiException e) {
                log.debug(
                    "Refused: method={} code={} reason={}",
                    exchange.method(),
                    e.code(),
                    e.getMessage());
                exchange.refuse(e);
              } catch (IOException | InterruptedException e) {
                log.debug("Client left: {}", e.toString());
                exchange.refuse(e);
              } catch (RuntimeException e) {
                log.warn("Request failed, answering 500: path={}", exchange.path(), e);
                exchange.refuse(e);
              } finally {
                free.release();
              }
            });
    return true;
  }

  private void serve(Exchange exchange) throws IOException, InterruptedException {
    List<String> path = exchange.path();
    String first = path.isEmpty() ? "" : path.getFirst();
    Optional<String> user = tokens.user(exchange.header(HttpHeader.AUTHORIZATION));
    if (user.isEmpty() && !OPEN.contains(first)) {
      throw ApiException.unauthorized();
    }
    switch (first) {
      case "" -> exchange.answer(200, paths());
      case "version" -> exchange.answer(200, Discovery.version());
      case "healthz", "livez", "readyz" -> health(exchange, first);
      case "api" -> api(exchange, path, user.orElseThrow());
      case "apis" -> apis(exchange, path, user.orElseThrow());
      case "openapi" -> openApi.serve(exchange);
      default -> throw ApiException.noSuchPath();
    }
  }

  private com.fasterxml.jackson.databind.node.ObjectNode paths() {
    var paths = Json.object();
    var list = paths.putArray("paths").add("/api").add("/api/v1").add("/apis");
    catalog
        .groups()
        .forEach((name, version) -> list.add("/apis/" + name).add("/apis/" + name + "/" + version));
    list.add("/healthz").add("/livez").add("/openapi/v2").add("/openapi/v3");
    list.add("/readyz").add("/version");
    return paths;
  }

  private static void health(Exchange exchange, String which) throws IOException {
    exchange.text(
        exchange.hasQuery("verbose")
            ? "[+]store ok\n[+]controllers ok\n" + which + " check passed\n"
            : "ok");
  }

  private void api(Exchange exchange, List<String> path, String user)
      throws IOException, InterruptedException {
    if (path.size() == 1) {
      if (exchange.accept().as().equals("APIGroupDiscoveryList")) {
        exchange.answer(
            200,
            discoveryType(exchange),
            Json.bytes(discovery.aggregated(true, exchange.accept().version())));
      } else {
        exchange.answer(200, discovery.coreVersions(exchange.header(HttpHeader.HOST)));
      }
      return;
    }
    collection(exchange, "", path.get(1), path.subList(2, path.size()), user);
  }

  private void apis(Exchange exchange, List<String> path, String user)
      throws IOException, InterruptedException {
    if (path.size() == 1) {
      if (exchange.accept().as().equals("APIGroupDiscoveryList")) {
        exchange.answer(
            200,
            discoveryType(exchange),
            Json.bytes(discovery.aggregated(false, exchange.accept().version())));
      } else {
        exchange.answer(200, discovery.groups());
      }
    } else if (path.size() == 2) {
      exchange.answer(200, discovery.group(path.get(1)));
    } else {
      collection(exchange, path.get(1), path.get(2), path.subList(3, path.size()), user);
    }
  }

  /** Clients believe that it is the aggregated form only if the content type says so. */
  private static String discoveryType(Exchange exchange) {
    return "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList"
        .formatted(exchange.accept().version());
  }

  private void collection(
      Exchange exchange, String group, String version, List<String> path, String user)
      throws IOException, InterruptedException {
    if (path.isEmpty()) {
      exchange.answer(200, discovery.resources(group, version));
      return;
    }
    // The old form of a watch: /api/v1/watch/...
    boolean watch = path.getFirst().equals("watch") && path.size() > 1;
    Target target = Target.of(catalog, group, version, watch ? path.subList(1, path.size()) : path);
    if (target.type().group().equals("metrics.k8s.io")) {
      usage.serve(exchange, target);
    } else if (!target.type().stored()) {
      if (!exchange.method().equals("POST")) {
        throw ApiException.methodNotAllowed();
      }
      reviews.serve(exchange, target, user);
    } else if (!target.subresource().isEmpty()) {
      subresources.serve(exchange, target);
    } else if (target.name().isEmpty()) {
      ofCollection(exchange, target, watch);
    } else {
      ofObject(exchange, target, watch);
    }
  }

  private void ofCollection(Exchange exchange, Target target, boolean watch)
      throws IOException, InterruptedException {
    switch (exchange.method()) {
      case "GET" -> {
        if (watch || exchange.flag("watch")) {
          watches.watch(exchange, target);
        } else {
          reads.list(exchange, target);
        }
      }
      case "POST" -> {
        if (target.type().namespaced() && target.namespace().isEmpty()) {
          throw ApiException.methodNotAllowed();
        }
        writes.create(exchange, target);
      }
      case "DELETE" -> writes.deleteCollection(exchange, target);
      default -> throw ApiException.methodNotAllowed();
    }
  }

  private void ofObject(Exchange exchange, Target target, boolean watch)
      throws IOException, InterruptedException {
    switch (exchange.method()) {
      case "GET" -> {
        if (watch || exchange.flag("watch")) {
          watches.watch(exchange, target);
        } else {
          reads.get(exchange, target);
        }
      }
      case "PUT" -> writes.update(exchange, target);
      case "PATCH" -> writes.patch(exchange, target);
      case "DELETE" -> writes.delete(exchange, target);
      default -> throw ApiException.methodNotAllowed();
    }
  }
}
