package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;

/** Ports of the hub that lead through the agent to services in this process. */
final class HubPorts {
  private final Spine spine;

  private HubPorts(Spine spine) {
    this.spine = spine;
  }

  /** Lets the hub have ports; to be called before it starts. */
  static void allow(Spine spine) throws IOException {
    try (ServerSocket probe = new ServerSocket(0)) {
      int from = Math.min(probe.getLocalPort(), 65_000);
      spine.hubSettings.add("hub.port_range=" + from + "-" + (from + 19));
    }
  }

  /** Starts the agent anew in a cluster in which the name of the service leads to this machine. */
  static HubPorts forFreshAgent(Spine spine) throws Exception {
    Path hosts =
        Files.writeString(
            spine.dir.resolve("hosts"),
            "127.0.0.1 localhost\n127.0.0.1 service.bench.svc.cluster.local.\n");
    spine.environment.put("JAVA_TOOL_OPTIONS", "-Djdk.net.hosts.file=" + hosts);
    spine.values.put("forward.local_addresses", "true");
    spine.agent().stop();
    spine.startAgent();
    spine.awaitReady();
    return new HubPorts(spine);
  }

  /** The port that leads to a port of this process. */
  int to(int port) throws Exception {
    return spine
        .rest(
            "POST",
            "/api/v1/clusters/" + spine.clusterId() + "/ports",
            "{\"protocol\":\"tcp\",\"service\":\"service\",\"namespace\":\"bench\",\"service_port\":"
                + port
                + "}")
        .path("port")
        .asInt();
  }
}
