package io.pipeops.hub.kube;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * A refusal in the form of the Kubernetes API, so that clients show it as they show the API's own.
 *
 * @param code HTTP status
 * @param reason Kubernetes' one-word reason
 * @param message for a person
 * @param retryAfter seconds after which to try again; 0 for none. Clients repeat by themselves
 *     then, so only for requests that did not reach the cluster.
 */
public record KubeStatus(int code, String reason, String message, int retryAfter) {
  static KubeStatus of(int code, String reason, String message) {
    return new KubeStatus(code, reason, message, 0);
  }

  public static KubeStatus badRequest(String message) {
    return of(400, "BadRequest", message);
  }

  /** Answers and completes the callback. */
  public void send(Response response, Callback callback) {
    byte[] body = json().getBytes(StandardCharsets.UTF_8);
    response.setStatus(code);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache, private");
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
    if (code == 401) {
      response.getHeaders().put(HttpHeader.WWW_AUTHENTICATE, "Bearer");
    }
    if (retryAfter > 0) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, retryAfter);
    }
    response.write(true, ByteBuffer.wrap(body), callback);
  }

  private String json() {
    return "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
        + "\"message\":\""
        + new String(JsonStringEncoder.getInstance().quoteAsString(message))
        + "\",\"reason\":\""
        + reason
        + "\",\"code\":"
        + code
        + "}\n";
  }
}
