package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.pipeops.hub.store.ClusterRecord;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;
import org.eclipse.jetty.server.Request;

/** A kubeconfig for the Kubernetes API of one cluster through the hub. */
final class Kubeconfig {
  private Kubeconfig() {}

  /** Where the hub serves the Kubernetes API of a cluster. */
  static String path(String clusterId) {
    return "/k8s/clusters/" + clusterId;
  }

  /**
   * Scheme and authority at which clients reach the hub: the setting, else what the request came
   * to.
   */
  static String address(String externalUrl, Request request) throws Problem {
    if (!externalUrl.isBlank()) {
      return externalUrl.strip().replaceAll("/+$", "");
    }
    String host = Request.getServerName(request);
    int port = Request.getServerPort(request);
    String scheme = request.isSecure() ? "https" : "http";
    try {
      URI uri = new URI(scheme, null, host, port, null, null, null);
      if (uri.getHost() != null) {
        return uri.toString();
      }
    } catch (URISyntaxException e) {
      // Told as below.
    }
    throw Problem.badRequest(
        "The request does not say a host that a client could use",
        "Send a usable Host header, or set external_url");
  }

  static String yaml(ClusterRecord cluster, String address, Optional<String> caPem, String token) {
    StringBuilder yaml = new StringBuilder(1024);
    String name = contextName(cluster);
    yaml.append("apiVersion: v1\nkind: Config\nclusters:\n- name: ").append(quote(name));
    yaml.append("\n  cluster:\n    server: ").append(quote(address + path(cluster.id())));
    if (caPem.isPresent()) {
      yaml.append("\n    certificate-authority-data: ")
          .append(
              Base64.getEncoder().encodeToString(caPem.get().getBytes(StandardCharsets.US_ASCII)));
    }
    yaml.append("\nusers:\n- name: ").append(quote(name));
    yaml.append("\n  user:\n    token: ").append(quote(token));
    yaml.append("\ncontexts:\n- name: ").append(quote(name));
    yaml.append("\n  context:\n    cluster: ").append(quote(name));
    yaml.append("\n    user: ").append(quote(name));
    yaml.append("\ncurrent-context: ").append(quote(name)).append('\n');
    return yaml.toString();
  }

  /** Easy to type: the cluster's name with everything strange replaced. */
  private static String contextName(ClusterRecord cluster) {
    String name = cluster.name().replaceAll("[^A-Za-z0-9._-]+", "-").replaceAll("^-+|-+$", "");
    return name.isEmpty() ? cluster.id() : name;
  }

  /** Text in double quotes, which YAML reads as JSON does. */
  private static String quote(String text) {
    return "\"" + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + "\"";
  }
}
