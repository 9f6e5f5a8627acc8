package io.pipeops.hub.kube;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Request;

/** What a request asks its connection to become (RFC 9110 7.8; RFC 6455 4.2.1). */
final class Upgrade {
  /** Carries a token that is meant for an API server; it must stay here like any other. */
  private static final String TOKEN = "base64url.bearer.authorization.k8s.io.";

  private static final int MOST_PROTOCOLS = 16;
  private static final int LONGEST_PROTOCOL = 128;

  private Upgrade() {}

  static boolean isSpdy(Request request) {
    return names(request, "spdy/");
  }

  static boolean isWebSocket(Request request) {
    return names(request, "websocket");
  }

  private static boolean names(Request request, String prefix) {
    for (String protocol : request.getHeaders().getCSV(HttpHeader.UPGRADE, false)) {
      if (protocol.toLowerCase(Locale.ROOT).startsWith(prefix)) {
        return true;
      }
    }
    return false;
  }

  /** Why this is no request for another protocol that could succeed, or null. */
  static KubeStatus fault(Request request, KubePath path) {
    HttpFields headers = request.getHeaders();
    if (!path.path().startsWith("/api/") && !path.path().startsWith("/apis/")) {
      return KubeStatus.badRequest("there is no WebSocket or SPDY at this path");
    }
    boolean webSocket = isWebSocket(request);
    boolean post = HttpMethod.POST.is(request.getMethod()) && !webSocket;
    if ((!post && !HttpMethod.GET.is(request.getMethod()))
        || request.getLength() > 0
        || headers.contains(HttpHeader.TRANSFER_ENCODING)) {
      return KubeStatus.badRequest("a handshake is a GET without a body");
    }
    boolean connection =
        headers.getCSV(HttpHeader.CONNECTION, false).stream()
            .anyMatch(value -> value.equalsIgnoreCase("upgrade"));
    if (!connection || (webSocket && !isHandshake(headers))) {
      return KubeStatus.badRequest("not a valid WebSocket or SPDY handshake");
    }
    List<String> protocols = protocols(request);
    if (protocols.size() > MOST_PROTOCOLS
        || protocols.stream().anyMatch(name -> name.length() > LONGEST_PROTOCOL)) {
      return KubeStatus.badRequest("too many WebSocket subprotocols");
    }
    return null;
  }

  private static boolean isHandshake(HttpFields headers) {
    String key = headers.get("Sec-WebSocket-Key");
    return key != null && !key.isBlank() && "13".equals(headers.get("Sec-WebSocket-Version"));
  }

  /** The subprotocols that may be offered to the cluster, in the client's order. */
  static List<String> protocols(Request request) {
    List<String> protocols = new ArrayList<>();
    for (String protocol : request.getHeaders().getCSV("Sec-WebSocket-Protocol", false)) {
      if (!protocol.isEmpty() && !protocol.startsWith(TOKEN) && !protocols.contains(protocol)) {
        protocols.add(protocol);
      }
    }
    return protocols;
  }
}
