package io.pipeops.hub;

import io.pipeops.hub.agents.JsonAnswer;
import io.pipeops.hub.kube.KubeHandler;
import io.pipeops.hub.kube.KubeStatus;
import io.pipeops.hub.kube.RawPath;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpHeaderValue;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * The first that sees a request: refuses ambiguous paths for all handlers behind it, and ends
 * connections that had their share of requests.
 */
final class RequestGuard extends Handler.Wrapper {
  private final ConnectionWatch watch;

  RequestGuard(ConnectionWatch watch, Handler next) {
    super(next);
    this.watch = watch;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    if (watch.arrived(request)) {
      response.getHeaders().put(HttpHeader.CONNECTION, HttpHeaderValue.CLOSE);
    }
    response.getHeaders().put("X-Content-Type-Options", "nosniff");
    String path = request.getHttpURI().getPath();
    if (path == null) {
      path = "";
    }
    if (HttpMethod.TRACE.is(request.getMethod()) || HttpMethod.CONNECT.is(request.getMethod())) {
      JsonAnswer.send(response, callback, 405, "the method is not allowed");
      return true;
    }
    try {
      RawPath.decode(path);
    } catch (RawPath.RefusedException e) {
      if (KubeHandler.serves(path)) {
        KubeStatus.badRequest(e.getMessage()).send(response, callback);
      } else {
        JsonAnswer.send(response, callback, 400, e.getMessage());
      }
      return true;
    }
    return super.handle(request, response, callback);
  }
}
