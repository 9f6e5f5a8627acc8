package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.Headers;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;

/** Which headers pass, in both directions (RFC 9110 7.6.1; protocol 3.5.2 and 3.5.5). */
final class HeaderFilter {
  private static final Set<String> HOP_BY_HOP =
      Set.of(
          "connection",
          "keep-alive",
          "proxy-authenticate",
          "proxy-authorization",
          "proxy-connection",
          "te",
          "trailer",
          "trailers",
          "transfer-encoding",
          "upgrade",
          "http2-settings");

  /**
   * Who the client is says the hub, not the client; an agent would look for a route by {@code Host}
   * and {@code X-Forwarded-Host}; and the API server may trust {@code X-Remote-*} of a front proxy.
   */
  private static final Set<String> NOT_TO_CLUSTER =
      Set.of("authorization", "host", "expect", "forwarded", "x-real-ip", "cookie");

  private static final List<String> NOT_TO_CLUSTER_PREFIXES =
      List.of("x-forwarded-", "x-remote-", "sec-websocket-");

  private HeaderFilter() {}

  /**
   * What of a request's headers reaches the cluster.
   *
   * @param token the cluster's own token, if one is known
   * @param impersonation whether the client may act as someone else
   */
  static Headers toCluster(HttpFields fields, Optional<String> token, boolean impersonation) {
    Set<String> named = named(fields.getCSV("Connection", false));
    Headers.Builder headers = Headers.builder();
    for (HttpField field : fields) {
      String name = field.getLowerCaseName();
      boolean stays =
          HOP_BY_HOP.contains(name)
              || named.contains(name)
              || NOT_TO_CLUSTER.contains(name)
              || NOT_TO_CLUSTER_PREFIXES.stream().anyMatch(name::startsWith)
              || (!impersonation && name.startsWith("impersonate-"));
      if (!stays && field.getValue() != null) {
        headers.add(field.getName(), field.getValue());
      }
    }
    token.ifPresent(value -> headers.set("Authorization", "Bearer " + value));
    return headers.build();
  }

  /** Puts what of a response's headers reaches the client. */
  static void toClient(Headers headers, HttpFields.Mutable fields) {
    Set<String> named = named(headers.values("Connection"));
    for (Map.Entry<String, List<String>> header : headers.all().entrySet()) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      if (HOP_BY_HOP.contains(name) || named.contains(name) || !token(name)) {
        continue;
      }
      // Replaces what the server puts by itself, such as the date.
      fields.remove(header.getKey());
      for (String value : header.getValue()) {
        if (value.chars().noneMatch(c -> (c < 0x20 && c != '\t') || c == 0x7f)) {
          fields.add(header.getKey(), value);
        }
      }
    }
  }

  private static Set<String> named(List<String> connection) {
    Set<String> names = new HashSet<>();
    for (String value : connection) {
      for (String name : value.split(",", -1)) {
        names.add(name.strip().toLowerCase(Locale.ROOT));
      }
    }
    return names;
  }

  private static boolean token(String name) {
    return !name.isEmpty()
        && name.chars()
            .allMatch(
                c ->
                    (c >= 'a' && c <= 'z')
                        || (c >= '0' && c <= '9')
                        || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
  }
}
