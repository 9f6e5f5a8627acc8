package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.WebSocketStart;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * A WebSocket to be opened, checked (protocol 4.2.2, 4.4.2).
 *
 * @param protocols the subprotocols to offer, in order
 * @param channels whether channel frames may have to be translated
 * @param fallback whether the agent's token stands in for a missing Authorization header
 */
record SocketRequest(
    Route route, Headers headers, List<String> protocols, boolean channels, boolean fallback) {
  /** By this header a peer says that it speaks the channel protocol itself. */
  static final String RAW = "X-Tunnel-Channels";

  private static final List<String> CHANNELS =
      List.of("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io");

  /** Only native clients ask for it, because only they can make sense of its close signal. */
  private static final String NATIVE = "v5.channel.k8s.io";

  /** Of a start message. The agent's token is the one exception of protocol 11.7. */
  static SocketRequest of(WebSocketStart start, ApiServer server, Settings settings)
      throws Failure {
    Route.requireServer(server);
    Route route = Route.apiSocket(start.path(), start.query(), start.headers(), server, settings);
    return api(route, start.path(), start.headers(), start.protocol(), true);
  }

  /** Of a request that is recognised as a WebSocket; see {@link #isApi}. */
  static SocketRequest of(ProxyRequest request, ApiServer server, Settings settings)
      throws Failure {
    Route.requireServer(server);
    Headers headers = request.headers();
    if (isApi(request)) {
      Route.refusePartial(request);
      Route route = Route.apiSocket(request.path(), request.query(), headers, server, settings);
      return api(route, request.path(), headers, request.protocol(), false);
    }
    Set<String> protocols = new LinkedHashSet<>();
    split(headers.values("Sec-WebSocket-Protocol"), protocols);
    if (protocols.isEmpty()) {
      split(List.of(request.protocol()), protocols);
    }
    return new SocketRequest(
        Route.socket(request, server, settings), headers, List.copyOf(protocols), false, false);
  }

  /** Whether the request is for the API and not for a service (protocol 4.2.5). */
  static boolean isApi(ProxyRequest request) {
    return !request.routed()
        && (request.path().startsWith("/api/") || request.path().startsWith("/apis/"));
  }

  private static SocketRequest api(
      Route route, String path, Headers headers, String protocol, boolean fallback) {
    Set<String> protocols = new LinkedHashSet<>();
    split(List.of(protocol), protocols);
    split(headers.values("Sec-WebSocket-Protocol"), protocols);
    boolean session = path.endsWith("/exec") || path.endsWith("/attach");
    boolean raw = headers.has(RAW) || protocols.contains(NATIVE);
    if (protocols.isEmpty() && (session || path.endsWith("/portforward"))) {
      protocols.addAll(CHANNELS);
    }
    return new SocketRequest(route, headers, List.copyOf(protocols), session && !raw, fallback);
  }

  private static void split(List<String> values, Set<String> protocols) {
    for (String value : values) {
      for (String protocol : value.split(",")) {
        if (!protocol.isBlank()) {
          protocols.add(protocol.strip());
        }
      }
    }
  }

  /**
   * Whether large data may come, as with a copy; a terminal or an application must not wait for it.
   */
  boolean bulk() {
    String query = route.query();
    return route.api() && (query == null || !"true".equals(Paths.parameter(query, "tty")));
  }

  /** Gives each header of the handshake but those that the client makes. */
  void headers(ApiServer server, BiConsumer<String, String> target) throws Failure {
    boolean[] authorized = new boolean[1];
    HeaderRules.toTarget(
        headers,
        (name, value) -> {
          authorized[0] |= name.equalsIgnoreCase("Authorization");
          boolean ours =
              name.regionMatches(true, 0, "Sec-WebSocket-", 0, 14) || name.equalsIgnoreCase(RAW);
          boolean proto = name.equalsIgnoreCase("X-Forwarded-Proto");
          if (!ours && !(proto && !route.api() && route.secure())) {
            target.accept(name, value);
          }
        });
    target.accept("Host", route.host());
    if (route.api() && !headers.has("Origin")) {
      // The API server refuses the handshake of a watch without one.
      target.accept("Origin", route.origin().toString());
    }
    if (!route.api() && route.secure()) {
      target.accept("X-Forwarded-Proto", "https");
    }
    if (!authorized[0] && (fallback || route.asAgent())) {
      server.token().ifPresent(token -> target.accept("Authorization", "Bearer " + token));
    }
    for (String protocol : protocols) {
      // kubectl's port-forward asks for SPDY/3.1+portforward.k8s.io, which is no token by the
      // letter.
      if (!HeaderRules.isToken(protocol.replace("/", ""))) {
        throw Failure.invalid("invalid subprotocol");
      }
    }
    if (!protocols.isEmpty()) {
      // One line: the API server reads no other.
      target.accept("Sec-WebSocket-Protocol", String.join(", ", protocols));
    }
  }
}
