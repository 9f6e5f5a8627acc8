package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.protocol.ProxyRequest;
import java.io.IOException;
import java.net.URI;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.transport.HttpConversation;
import org.eclipse.jetty.client.transport.HttpRequest;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.Content;

/**
 * One exchange with a target. The client's threads only note what happened and wake the stream's
 * thread, which does everything else.
 */
final class TargetCall {
  private final Gate gate;
  private final Route route;
  private final HttpRequest request;
  private volatile Response response;
  private volatile Content.Source source;
  private volatile Throwable failure;
  private volatile boolean complete;
  private volatile boolean demanded;

  TargetCall(HttpClient client, Route route, Gate gate) {
    this.gate = gate;
    this.route = route;
    this.request = new VerbatimRequest(client, route);
    // The connection's own idle limit is for the pool; here the stream keeps the time.
    request.idleTimeout(0, TimeUnit.MILLISECONDS);
    request.followRedirects(false);
    request.onResponseContentSource(this::answered);
  }

  /** Sets the body; null for none. */
  void body(Request.Content content) {
    if (content != null) {
      request.body(content);
    }
  }

  /** Sets the method and the headers that may pass, and the few that are ours to set. */
  void head(ProxyRequest from, ApiServer server) throws Failure {
    request.method(from.method());
    HeaderRules.toTarget(
        from.headers(), (name, value) -> request.addHeader(new HttpField(name, value)));
    request.headers(
        fields -> {
          fields.put(HttpHeader.HOST, route.host());
          if (!route.api() && route.secure()) {
            fields.put(HttpHeader.X_FORWARDED_PROTO, "https");
          }
          if (route.asAgent()) {
            server
                .token()
                .ifPresent(token -> fields.put(HttpHeader.AUTHORIZATION, "Bearer " + token));
          }
        });
  }

  void start() {
    request.send(
        result -> {
          if (result.isFailed()) {
            failure = result.getFailure();
          }
          complete = true;
          gate.signal();
        });
  }

  private void answered(Response answer, Content.Source content) {
    response = answer;
    source = content;
    gate.signal();
  }

  /** Whether status and headers are there. */
  boolean answered() {
    return source != null;
  }

  Response response() {
    return response;
  }

  /** What is there of the body now; null if nothing is, and then a signal will come. */
  Content.Chunk read() {
    if (demanded) {
      return null;
    }
    Content.Chunk chunk = source.read();
    if (chunk == null) {
      demanded = true;
      source.demand(
          () -> {
            demanded = false;
            gate.signal();
          });
    }
    return chunk;
  }

  /** Whether both sides of the exchange are done, well or badly. */
  boolean complete() {
    return complete;
  }

  /** Whether it failed; a demand for more is then never met. */
  boolean broken() {
    return complete && failure != null;
  }

  /** Whether it failed before any answer came. */
  boolean failedEarly() {
    return complete && source == null;
  }

  /**
   * Whether a connection from the pool died under a request that may be made again: the target
   * closed it while it was idle, and the request met the close on its way.
   */
  boolean stale() {
    return failedEarly() && TargetErrors.stale(failure);
  }

  /** Whether the request went out on a connection that had brought an answer before. */
  boolean reused() {
    return TargetErrors.reused(request.getConnection());
  }

  /**
   * Breaks the exchange and its connection off, wherever it is. Nothing happens once it is over.
   */
  void abort(String why) {
    if (!complete) {
      request.abort(new IOException(why));
    }
  }

  Failure failure() {
    return failure == null
        ? new Failure(Failure.Reason.BROKEN, route.what() + ": no answer")
        : failure(failure);
  }

  /** Turns what the client reports into what the peer is told. */
  Failure failure(Throwable cause) {
    return TargetErrors.of(route, cause);
  }

  /**
   * A request whose target goes out exactly as given. The client's own request would parse it as a
   * URI, in which a path such as {@code //name/x} has an authority.
   */
  private static final class VerbatimRequest extends HttpRequest {
    private final Route route;

    VerbatimRequest(HttpClient client, Route route) {
      super(client, new HttpConversation(), route.origin());
      this.route = route;
    }

    @Override
    public String getPath() {
      return route.path();
    }

    @Override
    public String getQuery() {
      return route.query();
    }

    @Override
    public URI getURI() {
      return route.origin();
    }
  }

  /** Whether an answer says that the connection now speaks something else, which was not asked. */
  boolean switched() {
    return response.getStatus() == HttpStatus.SWITCHING_PROTOCOLS_101;
  }
}
