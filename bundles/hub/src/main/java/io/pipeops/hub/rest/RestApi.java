package io.pipeops.hub.rest;

import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.hub.ports.PortDesk;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.StoreUnavailableException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the REST API. Everything but health, readiness and the description needs an
 * administrator's bearer token. Answers block for the database, so the server must call it on a
 * (virtual) thread that may wait. Errors are RFC 9457 problems. No CORS: no page of another origin
 * can use it.
 */
public final class RestApi extends Handler.Abstract {
  private static final Logger log = LoggerFactory.getLogger(RestApi.class);
  private static final String PREFIX = "/api/v1/";

  private final HubStore store;
  private final List<Route> routes = new ArrayList<>();
  private final Metrics.Counter served;
  private final Metrics.Counter refused;
  private final Metrics.Counter failed;

  /** Without ports. */
  public RestApi(HubStore store, LiveSessions sessions, RestSettings settings, Metrics metrics) {
    this(store, sessions, settings, metrics, Optional.empty());
  }

  /**
   * @param ports who opens ports; empty if nobody does
   */
  public RestApi(
      HubStore store,
      LiveSessions sessions,
      RestSettings settings,
      Metrics metrics,
      Optional<PortDesk> ports) {
    this.store = store;
    String name = "pipeops_hub_api_requests_total";
    String help = "Requests to the hub's REST API, by what came of them";
    this.served = metrics.counter(name, help, "result", "served");
    this.refused = metrics.counter(name, help, "result", "refused");
    this.failed = metrics.counter(name, help, "result", "failed");
    metrics.gauge(
        "pipeops_hub_event_watchers",
        "Clients that watch the hub's events now",
        () -> store.events().watchers());
    routes.addAll(new HubRoutes(store, sessions, settings).routes());
    routes.addAll(new ClusterRoutes(store, sessions, settings, ports).routes());
    routes.addAll(new TokenRoutes(store, sessions).routes());
    routes.addAll(new PortRoutes(store, ports).routes());
  }

  /** What is served, for the check of its description. */
  List<Route> routes() {
    return List.copyOf(routes);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = request.getHttpURI().getPath();
    boolean ours = path != null && path.startsWith(PREFIX);
    List<Route> here = new ArrayList<>();
    Map<String, String> ids = Map.of();
    if (path != null && path.startsWith("/")) {
      List<String> segments = List.of(path.substring(1).split("/", -1));
      for (Route route : routes) {
        Optional<Map<String, String>> match = route.match(segments);
        if (match.isPresent()) {
          here.add(route);
          ids = match.get();
        }
      }
    }
    if (here.isEmpty() && !ours) {
      return false;
    }
    Answer answer = answer(new Call(request, response, ids), here);
    if (answer != null) {
      send(request, response, callback, answer);
    } else {
      callback.succeeded();
    }
    return true;
  }

  private Answer answer(Call call, List<Route> here) {
    try {
      boolean open = !here.isEmpty() && here.stream().allMatch(Route::open);
      if (!open) {
        authenticate(call);
      }
      if (here.isEmpty()) {
        throw Problem.nothingHere();
      }
      Answer answer = choose(call.request(), here).action().handle(call);
      served.increment();
      return answer;
    } catch (Problem problem) {
      (problem.status() >= 500 ? failed : refused).increment();
      return refusal(problem, here);
    } catch (StoreUnavailableException e) {
      failed.increment();
      return Problem.unavailable(e.getMessage()).answer().with("Retry-After", "2");
    } catch (IOException e) {
      // The client went away or sent its body too slowly.
      refused.increment();
      log.debug("Request ended early cause={}", e.toString());
      return Problem.badRequest("The body did not arrive", "Send the request again").answer();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Problem.unavailable("The hub stops").answer();
    } catch (RuntimeException e) {
      failed.increment();
      log.warn("Request to the REST API failed", e);
      return new Problem(
              500,
              "internal",
              "The hub made a mistake",
              "An unexpected error occurred; the hub's log has it",
              "Try again; if it stays, report it with the log")
          .answer();
    }
  }

  private Answer refusal(Problem problem, List<Route> here) {
    Answer answer = problem.answer();
    return switch (problem.status()) {
      case 401 -> answer.with("WWW-Authenticate", "Bearer realm=\"pipeops-hub\"");
      case 405 -> answer.with("Allow", allowed(here));
      case 503 -> answer.with("Retry-After", "2");
      default -> answer;
    };
  }

  private void authenticate(Call call) throws Problem {
    Optional<String> bearer = call.bearer();
    if (bearer.isEmpty()) {
      throw Problem.unauthorized("The request has no bearer token");
    }
    String token = bearer.get();
    if (store.authenticateAdmin(token).isEmpty()) {
      boolean otherKind = token.startsWith("pat_") || token.startsWith("pct_");
      throw Problem.unauthorized(
          otherKind
              ? "This kind of token is not for the REST API"
              : "The token is unknown or was revoked");
    }
  }

  private static Route choose(Request request, List<Route> here) throws Problem {
    String method = request.getMethod().equals("HEAD") ? "GET" : request.getMethod();
    for (Route route : here) {
      if (route.method().equals(method)) {
        return route;
      }
    }
    throw new Problem(
        405,
        "method-not-allowed",
        "The method is not allowed here",
        "This path does not support the method",
        "Use " + allowed(here));
  }

  private static String allowed(List<Route> here) {
    TreeSet<String> methods = new TreeSet<>();
    here.forEach(route -> methods.add(route.method()));
    if (methods.contains("GET")) {
      methods.add("HEAD");
    }
    return String.join(", ", methods);
  }

  private static void send(Request request, Response response, Callback callback, Answer answer) {
    response.setStatus(answer.status());
    var headers = response.getHeaders();
    headers.put(HttpHeader.CACHE_CONTROL, "no-store");
    headers.put("X-Content-Type-Options", "nosniff");
    answer.headers().forEach(headers::put);
    if (!answer.type().isEmpty()) {
      headers.put(HttpHeader.CONTENT_TYPE, answer.type());
      headers.put(HttpHeader.CONTENT_LENGTH, answer.body().length);
    }
    boolean head = request.getMethod().equals("HEAD");
    response.write(true, ByteBuffer.wrap(head ? new byte[0] : answer.body()), callback);
  }
}
