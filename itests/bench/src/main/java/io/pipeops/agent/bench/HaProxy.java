package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Await;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * HAProxy in the place of hub and agent, where it is installed: as a TCP proxy before both services
 * of the streams, and as an HTTP proxy before the API, with TLS on both sides if the API has it.
 */
final class HaProxy implements AutoCloseable {
  static final String MISSING = "haproxy is not on the PATH";

  /** Null where it is not installed. */
  private final Process process;

  private final int streamPort;
  private final int webPort;
  private final int httpPort;

  private HaProxy(Process process, int streamPort, int webPort, int httpPort) {
    this.process = process;
    this.streamPort = streamPort;
    this.webPort = webPort;
    this.httpPort = httpPort;
  }

  /**
   * Starts it.
   *
   * @param api what the HTTP proxy leads to
   * @param stream what the first TCP port leads to
   * @param web what the second TCP port leads to
   */
  static HaProxy start(Path dir, Target api, StreamTarget stream, Target web) throws Exception {
    Path program = program();
    if (program == null) {
      return new HaProxy(null, 0, 0, 0);
    }
    int[] ports = freePorts();
    boolean tls = api.certificate() != null;
    Path config =
        Files.writeString(
            dir.resolve("haproxy.cfg"),
            """
            defaults
                timeout connect 10s
                timeout client 1h
                timeout server 1h
            listen stream
                mode tcp
                bind 127.0.0.1:%d
                server target 127.0.0.1:%d
            listen web
                mode tcp
                bind 127.0.0.1:%d
                server target 127.0.0.1:%d
            listen api
                mode http
                bind 127.0.0.1:%d%s
                server target 127.0.0.1:%d%s
            """
                .formatted(
                    ports[0],
                    stream.port(),
                    ports[1],
                    web.port(),
                    ports[2],
                    tls ? " ssl crt " + api.writeKey(dir.resolve("haproxy.pem")) : "",
                    api.port(),
                    tls ? " ssl verify required ca-file " + api.certificate() : ""));
    Path log = dir.resolve("haproxy.log");
    Process process =
        new ProcessBuilder(program.toString(), "-db", "-f", config.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    HaProxy proxy = new HaProxy(process, ports[0], ports[1], ports[2]);
    try {
      Await.until(
          "haproxy listens", Duration.ofSeconds(30), () -> !process.isAlive() || listens(ports[2]));
      if (!process.isAlive()) {
        throw new IOException("haproxy: " + Files.readString(log));
      }
      return proxy;
    } catch (Exception | AssertionError e) {
      proxy.close();
      throw e;
    }
  }

  private static Path program() {
    for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
      Path file = Path.of(folder, "haproxy");
      if (Files.isExecutable(file)) {
        return file;
      }
    }
    return null;
  }

  private static int[] freePorts() throws IOException {
    try (ServerSocket one = new ServerSocket(0);
        ServerSocket two = new ServerSocket(0);
        ServerSocket three = new ServerSocket(0)) {
      return new int[] {one.getLocalPort(), two.getLocalPort(), three.getLocalPort()};
    }
  }

  private static boolean listens(int port) throws IOException {
    new Socket(InetAddress.getLoopbackAddress(), port).close();
    return true;
  }

  boolean there() {
    return process != null;
  }

  Between between() {
    return Between.haProxy(process.pid());
  }

  /** Leads to the service of single streams. */
  int streamPort() {
    return streamPort;
  }

  /** Leads to the web service, as a TCP proxy. */
  int webPort() {
    return webPort;
  }

  /** Leads to the API, as an HTTP proxy. */
  int httpPort() {
    return httpPort;
  }

  @Override
  public void close() throws InterruptedException {
    if (process != null) {
      process.destroy();
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    }
  }
}
