package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;

/**
 * Makes an agent id that is the same whenever it is made again for the same cluster (protocol 9.3):
 * from the UID of namespace kube-system, which lives as long as the cluster; without an API server
 * from host name and machine id.
 */
final class AgentIdentity {
  private AgentIdentity() {}

  /**
   * From the cluster's UID.
   *
   * @throws RefusedException if the server answers something else
   * @throws IOException if it does not answer
   */
  static String ofCluster(ApiClient api, Duration limit) throws IOException, InterruptedException {
    Answer answer = api.get("/api/v1/namespaces/kube-system", "application/json", limit);
    String uid =
        answer.ok() ? Json.text(Json.child(Json.read(answer.body()), "metadata"), "uid") : "";
    if (uid.isEmpty()) {
      throw new RefusedException(
          answer.status(), "cannot read the UID of namespace kube-system: " + answer.status());
    }
    return of(uid);
  }

  /** From what the machine says about itself. */
  static String ofMachine() {
    return of(hostName() + "|" + machineId());
  }

  static String of(String source) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(source.getBytes(StandardCharsets.UTF_8));
      return "agent-" + HexFormat.of().formatHex(hash, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static String hostName() {
    String name = read("/proc/sys/kernel/hostname");
    if (!name.isEmpty()) {
      return name;
    }
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (IOException e) {
      return "";
    }
  }

  private static String machineId() {
    return List.of("/etc/machine-id", "/var/lib/dbus/machine-id").stream()
        .map(AgentIdentity::read)
        .filter(id -> !id.isEmpty())
        .findFirst()
        .orElse("");
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file)).trim();
    } catch (IOException e) {
      return "";
    }
  }
}
