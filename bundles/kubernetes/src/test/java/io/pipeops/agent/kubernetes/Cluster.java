package io.pipeops.agent.kubernetes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The bundle's access to a server, made from a kubeconfig as an operator would write it. */
final class Cluster implements AutoCloseable {
  final Fakes.Context context = new Fakes.Context();
  final KubernetesConfig config;
  final ClusterAccess access;
  private final Path folder;

  Cluster(Path folder, String server, Map<String, String> settings) throws IOException {
    this.folder = folder;
    token("first-token");
    Path file = folder.resolve("kubeconfig");
    Files.writeString(
        file,
        """
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u}}]
        clusters: [{name: k, cluster: {server: "%s"}}]
        users: [{name: u, user: {tokenFile: token}}]
        """
            .formatted(server));
    Map<String, String> values = new HashMap<>(settings);
    values.putIfAbsent("kubeconfig", file.toString());
    config = Fakes.config(values);
    access =
        new ClusterAccess(
            context.context, config, new Fakes.NoMetrics(), folder.resolve("none"), Map.of());
  }

  /** Rotates the token file the way a mounted volume does: another file under the same name. */
  void token(String text) throws IOException {
    Path fresh = folder.resolve("token.new");
    Files.writeString(fresh, text);
    Files.move(fresh, folder.resolve("token"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
  }

  ClusterStateStore store() {
    return new ClusterStateStore(access, config);
  }

  @Override
  public void close() {
    access.close();
  }
}
