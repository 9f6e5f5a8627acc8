package io.pipeops.agent.kubernetes;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** Finds the API server by what Kubernetes gives every pod: two variables and a mounted folder. */
final class InPod {
  static final Path FOLDER = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

  private InPod() {}

  /** Empty if this process does not run in a pod with a service account. */
  static Optional<Place> find(Path folder, Map<String, String> environment) throws AccessException {
    Path ca = folder.resolve("ca.crt");
    Path token = folder.resolve("token");
    if (!Files.isReadable(ca) && !Files.isReadable(token)) {
      return Optional.empty();
    }
    String host = environment.getOrDefault("KUBERNETES_SERVICE_HOST", "");
    String port = environment.getOrDefault("KUBERNETES_SERVICE_PORT", "443");
    if (host.isEmpty()) {
      host = "kubernetes.default.svc";
      port = "443";
    }
    URI base;
    try {
      base = URI.create("https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port);
    } catch (IllegalArgumentException e) {
      throw new AccessException("KUBERNETES_SERVICE_HOST and _PORT make no address", e);
    }
    RotatedFile caFile = new RotatedFile(ca);
    RotatedFile tokenFile = new RotatedFile(token);
    return Optional.of(
        new Place(
            base,
            false,
            () -> caFile.text().orElse(""),
            null,
            tokenFile::text,
            true,
            new RotatedFile(folder.resolve("namespace")).text().orElse("")));
  }
}
