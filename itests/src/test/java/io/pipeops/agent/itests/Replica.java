package io.pipeops.agent.itests;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/** One of several agents of a cluster, as the pods of a deployment are, without the pods. */
final class Replica implements AutoCloseable {
  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  static final String SETTINGS = "heartbeat: {connected_seconds: 30}\n";

  final String name;
  final Program program;

  final MountedConfig config;

  private Replica(String name, MountedConfig config, Program program) {
    this.name = name;
    this.config = config;
    this.program = program;
  }

  static Replica start(Spine spine, Path kubeconfig, String namespace, String name, int lease)
      throws Exception {
    Files.deleteIfExists(spine.dir.resolve(name + "-run/http.address"));
    MountedConfig config =
        new MountedConfig(Files.createTempDirectory(spine.dir, name + "-config"), SETTINGS);
    return new Replica(
        name,
        config,
        Program.start(
            spine.dir,
            name,
            "run",
            Map.of("POD_NAME", name),
            "--config",
            config.file.toString(),
            "--set",
            "link.url=" + spine.hubAddress(),
            "--set",
            "link.token_file=" + spine.dir.resolve("hub/agent.token"),
            "--set",
            "link.tls_ca_file=" + spine.dir.resolve("hub/ca.crt"),
            "--set",
            "link.cluster_name=replicas",
            "--set",
            "kubernetes.kubeconfig=" + kubeconfig,
            "--set",
            "kubernetes.namespace=" + namespace,
            "--set",
            "leader.election=always",
            "--set",
            "leader.replicas=2",
            "--set",
            "leader.lease_seconds=" + lease,
            "--set",
            "leader.renew_seconds=" + lease / 2,
            "--set",
            "tunnel.agent_credentials=true",
            "--set",
            "http.port=0",
            "--set",
            "http.host=127.0.0.1"));
  }

  String get(String path) throws Exception {
    HttpResponse<String> response =
        CLIENT.send(
            HttpRequest.newBuilder(URI.create(program.address("http.address") + path))
                .timeout(Duration.ofSeconds(10))
                .build(),
            BodyHandlers.ofString());
    return response.statusCode() + " " + response.body();
  }

  boolean leads() throws Exception {
    return get("/metrics").contains("\npipeops_agent_leader 1");
  }

  void awaitReady() {
    Await.until(
        "ready: " + program.log(), Duration.ofSeconds(60), () -> get("/ready").startsWith("200"));
  }

  @Override
  public void close() {
    program.close();
  }
}
