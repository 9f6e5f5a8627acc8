package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyRequest;
import java.net.URI;

/**
 * Where a request goes (protocol 3.5.1 to 3.5.3), built from checked parts only.
 *
 * @param api whether the target is the Kubernetes API; else a service
 * @param origin scheme, host and port to connect to
 * @param path encoded
 * @param query as it goes out; null if there is none
 * @param host value of the outgoing {@code Host}
 * @param asAgent whether the call is made with the agent's own credentials
 * @param longLived whether this is a watch or a followed log, which may be silent for long
 */
record Route(
    boolean api,
    URI origin,
    String path,
    String query,
    String host,
    boolean asAgent,
    boolean longLived) {

  /**
   * Decides.
   *
   * @param server null if the API server is not known yet
   */
  static Route of(ProxyRequest request, ApiServer server, Settings settings) throws Failure {
    requireServer(server);
    if (request.method().equals("CONNECT") || !HeaderRules.isToken(request.method())) {
      throw Failure.invalid("invalid method");
    }
    String query = query(request.query());
    refusePartial(request);
    refuseUpgrade(request);
    if (request.routed()) {
      return service(request, query, server, settings);
    }
    String path = Paths.checkApi(request.path(), settings.encodedPaths());
    refuseSession(path);
    return api(
        Paths.encode(path, settings.encodedPaths()), query, request.headers(), server, settings);
  }

  /** Decides for an application WebSocket (protocol 4.4.1). */
  static Route socket(ProxyRequest request, ApiServer server, Settings settings) throws Failure {
    refusePartial(request);
    if (!request.routed()) {
      throw Failure.invalid("missing service routing information for WebSocket");
    }
    return service(request, query(request.query()), server, settings);
  }

  /** Decides for a WebSocket of the API (protocol 4.2.2). */
  static Route apiSocket(
      String path, String query, Headers headers, ApiServer server, Settings settings)
      throws Failure {
    return api(
        Paths.encode(Paths.checkApiSocket(path), false),
        query(query.replaceAll("[\\r\\n\\x00]", "")),
        headers,
        server,
        settings);
  }

  private static String query(String query) throws Failure {
    return query.isEmpty() ? null : Paths.query(query);
  }

  static void refusePartial(ProxyRequest request) throws Failure {
    if (request.partlyRouted()) {
      throw Failure.invalid(
          "incomplete service routing information: service_name, namespace and service_port belong"
              + " together");
    }
  }

  boolean secure() {
    return origin.getScheme().equals("https");
  }

  /** The address of the WebSocket; odd but legal characters of the query are escaped for it. */
  URI socketUri() {
    String text = (secure() ? "wss://" : "ws://") + origin.getRawAuthority() + path;
    return URI.create(query == null ? text : text + "?" + Paths.strict(query));
  }

  /** How errors name the target. */
  String what() {
    return api ? "kubernetes API request failed" : "service request failed";
  }

  static void requireServer(ApiServer server) throws Failure {
    if (server == null) {
      throw new Failure(
          Failure.Reason.UNREACHABLE,
          "kubernetes client not initialized: the agent does not know its API server yet");
    }
  }

  private static Route service(
      ProxyRequest request, String query, ApiServer server, Settings settings) throws Failure {
    checkName(request.serviceName(), "invalid service name");
    checkName(request.namespace(), "invalid namespace");
    if (request.servicePort() > 65535) {
      throw Failure.invalid("invalid service port");
    }
    Paths.checkService(request.path(), settings.encodedPaths());
    String name =
        request.serviceName() + "." + request.namespace() + ".svc." + server.clusterDomain();
    String scheme = request.scheme().equals("https") ? "https" : "http";
    URI origin = URI.create(scheme + "://" + name + ":" + request.servicePort());
    String host = HeaderRules.host(request.headers(), "Host");
    if (host == null && request.isWebSocketRequest()) {
      host = HeaderRules.host(request.headers(), "X-Forwarded-Host");
    }
    String path = request.path().isEmpty() ? "/" : request.path();
    return new Route(
        false,
        origin,
        Paths.encode(path, settings.encodedPaths()),
        query,
        host == null ? origin.getRawAuthority() : host,
        false,
        false);
  }

  private static Route api(
      String path, String query, Headers headers, ApiServer server, Settings settings) {
    URI base = server.base();
    String prefix = base.getRawPath() == null ? "" : base.getRawPath();
    if (prefix.endsWith("/")) {
      prefix = prefix.substring(0, prefix.length() - 1);
    }
    return new Route(
        true,
        URI.create(base.getScheme() + "://" + base.getRawAuthority()),
        prefix + path,
        query,
        base.getRawAuthority(),
        settings.agentCredentials() && !headers.has("Authorization"),
        query != null && (isTrue(query, "watch") || isTrue(query, "follow")));
  }

  /** As the API server reads a boolean parameter. */
  private static boolean isTrue(String query, String name) {
    String value = Paths.parameter(query, name);
    return value != null && !value.equals("0") && !value.equalsIgnoreCase("false");
  }

  private static void refuseUpgrade(ProxyRequest request) throws Failure {
    boolean spdy =
        request.headers().values("Upgrade").stream()
            .anyMatch(v -> v.strip().regionMatches(true, 0, "SPDY/", 0, 5));
    if (spdy) {
      throw new Failure(
          Failure.Reason.UNSUPPORTED, "SPDY not supported: the agent carries WebSocket only");
    }
  }

  /** These need an upgrade; without one the API server would only answer with a riddle. */
  private static void refuseSession(String path) throws Failure {
    String[] parts = path.split("/");
    if (parts.length == 8
        && parts[1].equals("api")
        && parts[5].equals("pods")
        && (parts[7].equals("exec")
            || parts[7].equals("attach")
            || parts[7].equals("portforward"))) {
      throw new Failure(
          Failure.Reason.UNSUPPORTED,
          parts[7] + " not supported over plain HTTP: it needs a WebSocket");
    }
  }

  /** A DNS name without dots, so that it can name nothing but a service of the cluster. */
  static void checkName(String name, String error) throws Failure {
    int length = name.length();
    boolean ok =
        length > 0 && length <= 253 && name.charAt(0) != '-' && name.charAt(length - 1) != '-';
    for (int i = 0; ok && i < length; i++) {
      char c = name.charAt(i);
      ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (!ok) {
      throw Failure.invalid(error);
    }
  }
}
