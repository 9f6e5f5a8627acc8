package io.pipeops.agent.link;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Builds the two WebSocket addresses (protocol 1.3, Q3). The token is never part of them. */
final class PeerUrl {
  static final String CONTROLLER_PATH = "/api/v1/clusters/agent/ws";

  private static final List<String> CAPABILITIES =
      List.of(
          "supports_binary",
          "supports_response_streaming",
          "supports_streaming",
          "supports_websocket",
          "supports_yamux");

  private PeerUrl() {}

  /**
   * The controller's address: the path is replaced, everything else kept.
   *
   * @throws ConfigurationException if it is no usable address, or clear text is not allowed
   */
  static URI controller(String url, boolean insecure) throws ConfigurationException {
    URI uri = parse(url, "link.url");
    String scheme = scheme(uri, insecure, "link.url");
    return uri(scheme, uri, CONTROLLER_PATH, uri.getRawQuery());
  }

  /**
   * The gateway's address: the path becomes {@code /ws} if it is empty, our query parameters
   * replace those of the same name.
   *
   * @throws ConfigurationException if it is no usable address, or clear text is not allowed
   */
  static URI gateway(String url, String version, String clusterUuid, boolean insecure)
      throws ConfigurationException {
    URI uri = parse(url, "the gateway's address");
    String scheme = scheme(uri, insecure, "the gateway's address");
    Map<String, String> ours = new TreeMap<>();
    CAPABILITIES.forEach(name -> ours.put(name, "true"));
    ours.put("agent_version", version);
    ours.put("cluster_uuid", clusterUuid);
    TreeMap<String, List<String>> pairs = new TreeMap<>();
    if (uri.getRawQuery() != null) {
      for (String pair : uri.getRawQuery().split("&")) {
        String name = pair.substring(0, pair.indexOf('=') < 0 ? pair.length() : pair.indexOf('='));
        if (!name.isEmpty() && !ours.containsKey(name) && !name.equals("token")) {
          pairs.computeIfAbsent(name, n -> new ArrayList<>()).add(pair);
        }
      }
    }
    ours.forEach(
        (name, value) ->
            pairs.put(
                name, List.of(name + "=" + URLEncoder.encode(value, StandardCharsets.UTF_8))));
    List<String> query = new ArrayList<>();
    pairs.values().forEach(query::addAll);
    String path = uri.getRawPath() == null || uri.getRawPath().isEmpty() ? "/ws" : uri.getRawPath();
    return uri(scheme, uri, path, String.join("&", query));
  }

  /** Scheme, host and port alone, for logs and status: a query may hold what is not for them. */
  static String origin(URI uri) {
    return uri.getScheme() + "://" + authority(uri);
  }

  /** The port, also where the address does not name it. */
  static int port(URI uri) {
    if (uri.getPort() >= 0) {
      return uri.getPort();
    }
    return secure(uri) ? 443 : 80;
  }

  static boolean secure(URI uri) {
    return uri.getScheme().equals("wss");
  }

  private static URI parse(String url, String what) throws ConfigurationException {
    URI uri;
    try {
      uri = new URI(url.trim());
    } catch (URISyntaxException e) {
      throw new ConfigurationException(what + " is not a valid address: " + e.getReason(), e);
    }
    if (uri.getScheme() == null || uri.getHost() == null) {
      throw new ConfigurationException(
          what + " must be a whole address such as https://api.example.com");
    }
    if (uri.getUserInfo() != null) {
      throw new ConfigurationException(what + " must not hold a user or password");
    }
    return uri;
  }

  private static String scheme(URI uri, boolean insecure, String what)
      throws ConfigurationException {
    switch (uri.getScheme().toLowerCase(Locale.ROOT)) {
      case "https", "wss" -> {
        return "wss";
      }
      case "http", "ws" -> {
        if (!insecure) {
          throw new ConfigurationException(
              what
                  + " is clear text ("
                  + uri.getScheme()
                  + "), which would show the token to the network; use https, or set"
                  + " link.insecure=true to allow it");
        }
        return "ws";
      }
      default ->
          throw new ConfigurationException(
              what + " has the scheme " + uri.getScheme() + "; use https, wss, http or ws");
    }
  }

  private static String authority(URI uri) {
    return uri.getPort() < 0 ? uri.getHost() : uri.getHost() + ":" + uri.getPort();
  }

  private static URI uri(String scheme, URI uri, String path, String query) {
    return URI.create(
        scheme
            + "://"
            + authority(uri)
            + path
            + (query == null || query.isEmpty() ? "" : "?" + query));
  }
}
