package io.pipeops.hub.kube;

import java.util.List;

/**
 * A path below {@link #PREFIX}.
 *
 * @param clusterId the cluster that is meant
 * @param path the decoded path at its API server
 * @param raw the same as the client encoded it
 */
record KubePath(String clusterId, String path, String raw) {
  /** Of a path that needs no encoding. */
  KubePath(String clusterId, String path) {
    this(clusterId, path, path);
  }

  static final String PREFIX = "/k8s/clusters/";

  /**
   * What counts as the Kubernetes API (protocol 3.5.1). An agent may send other paths to the
   * cluster's ingress controller, which must never see the cluster's token.
   */
  private static final List<String> ROOTS =
      List.of("/api", "/apis", "/version", "/openapi", "/healthz", "/readyz", "/livez");

  /** Takes a raw path apart that begins with the prefix. */
  static KubePath parse(String raw) throws RawPath.RefusedException {
    String decoded = RawPath.decode(raw);
    int end = decoded.indexOf('/', PREFIX.length());
    // No slash is encoded, so the same one ends the id in both.
    int rawEnd = raw.indexOf('/', PREFIX.length());
    return end < 0
        ? new KubePath(decoded.substring(PREFIX.length()), "/", "/")
        : new KubePath(
            decoded.substring(PREFIX.length(), end), decoded.substring(end), raw.substring(rawEnd));
  }

  boolean isApi() {
    for (String root : ROOTS) {
      if (path.startsWith(root)
          && (path.length() == root.length() || path.charAt(root.length()) == '/')) {
        return true;
      }
    }
    return false;
  }
}
