package io.pipeops.agent.link;

import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Which HTTP proxy, if any, stands before a host: the rules of HTTPS_PROXY and NO_PROXY. */
final class ProxyRule {
  private final Optional<Proxy> proxy;
  private final List<String> except;

  /**
   * An HTTP proxy.
   *
   * @param tls whether it is itself spoken to over TLS
   * @param user for basic authentication; empty for none
   */
  record Proxy(String host, int port, boolean tls, String user, String password) {
    /** Without the password. */
    @Override
    public String toString() {
      return (tls ? "https://" : "http://") + host + ":" + port;
    }
  }

  /**
   * Reads the settings.
   *
   * @throws ConfigurationException if the proxy's address cannot be used; it never quotes it,
   *     because it may hold a password
   */
  ProxyRule(String proxy, List<String> except) throws ConfigurationException {
    this.proxy = proxy.isEmpty() ? Optional.empty() : Optional.of(parse(proxy));
    this.except =
        except.stream()
            .flatMap(entry -> List.of(entry.split("[,\\s]+")).stream())
            .map(entry -> entry.trim().toLowerCase(Locale.ROOT))
            .filter(entry -> !entry.isEmpty())
            .toList();
  }

  /** The proxy for an address; empty if it is reached directly. */
  Optional<Proxy> forTarget(URI target) {
    return proxy.filter(p -> !excepted(bare(target.getHost()), PeerUrl.port(target)));
  }

  private static Proxy parse(String text) throws ConfigurationException {
    URI uri;
    try {
      uri = new URI(text.contains("://") ? text : "http://" + text);
    } catch (URISyntaxException e) {
      throw new ConfigurationException("link.https_proxy is not a valid address");
    }
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    if (uri.getHost() == null || !(scheme.equals("http") || scheme.equals("https"))) {
      throw new ConfigurationException(
          "link.https_proxy must be an address such as http://proxy.example.com:3128");
    }
    boolean tls = scheme.equals("https");
    String user = "";
    String password = "";
    if (uri.getRawUserInfo() != null) {
      String[] parts = uri.getRawUserInfo().split(":", 2);
      try {
        user = URLDecoder.decode(parts[0].replace("+", "%2B"), StandardCharsets.UTF_8);
        if (parts.length > 1) {
          password = URLDecoder.decode(parts[1].replace("+", "%2B"), StandardCharsets.UTF_8);
        }
      } catch (IllegalArgumentException e) {
        throw new ConfigurationException("link.https_proxy has a wrongly encoded user or password");
      }
    }
    int port = uri.getPort() < 0 ? (tls ? 443 : 80) : uri.getPort();
    return new Proxy(bare(uri.getHost()), port, tls, user, password);
  }

  private boolean excepted(String host, int port) {
    String name = host.toLowerCase(Locale.ROOT);
    Optional<byte[]> address = address(name);
    if (name.equals("localhost")
        || address.map(ProxyRule::inet).filter(InetAddress::isLoopbackAddress).isPresent()) {
      return true;
    }
    for (String entry : except) {
      if (entry.equals("*") || matches(entry, name, port, address)) {
        return true;
      }
    }
    return false;
  }

  private static boolean matches(String entry, String name, int port, Optional<byte[]> address) {
    int slash = entry.indexOf('/');
    if (slash > 0) {
      Optional<byte[]> network = address(bare(entry.substring(0, slash)));
      return network.isPresent()
          && address.isPresent()
          && inNetwork(network.get(), entry.substring(slash + 1), address.get());
    }
    String pattern = entry;
    int colon = pattern.lastIndexOf(':');
    if (colon > 0 && pattern.indexOf(':') == colon
        || colon > 0 && pattern.charAt(colon - 1) == ']') {
      if (!pattern.substring(colon + 1).equals(Integer.toString(port))) {
        return false;
      }
      pattern = pattern.substring(0, colon);
    }
    pattern = bare(pattern);
    if (pattern.startsWith("*.")) {
      pattern = pattern.substring(1);
    }
    if (pattern.startsWith(".")) {
      return name.endsWith(pattern);
    }
    return name.equals(pattern) || name.endsWith("." + pattern);
  }

  private static boolean inNetwork(byte[] network, String bits, byte[] address) {
    int length;
    try {
      length = Integer.parseInt(bits);
    } catch (NumberFormatException e) {
      return false;
    }
    if (network.length != address.length || length < 0 || length > 8 * network.length) {
      return false;
    }
    for (int i = 0; i < length; i++) {
      int mask = 0x80 >> (i & 7);
      if ((network[i >> 3] & mask) != (address[i >> 3] & mask)) {
        return false;
      }
    }
    return true;
  }

  /** The bytes of a literal address; empty for a name, which is never looked up here. */
  private static Optional<byte[]> address(String text) {
    if (!text.matches("[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+") && text.indexOf(':') < 0) {
      return Optional.empty();
    }
    try {
      // Only digits, dots and colons get here, so that nothing is looked up.
      return Optional.of(InetAddress.getByName(text).getAddress());
    } catch (UnknownHostException e) {
      return Optional.empty();
    }
  }

  private static InetAddress inet(byte[] address) {
    try {
      return InetAddress.getByAddress(address);
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static String bare(String host) {
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }
}
