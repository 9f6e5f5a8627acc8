package io.pipeops.agent.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckCommandTest {
  @TempDir Path dir;

  private final List<String> asked = new CopyOnWriteArrayList<>();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private HttpServer server;
  private volatile boolean ready = true;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", this::answer);
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    String token = exchange.getRequestHeaders().getFirst("Authorization");
    asked.add(exchange.getRequestMethod() + " " + path + " " + token);
    int status = path.equals("/ready") && !ready ? 503 : path.endsWith("/tokens") ? 201 : 200;
    String body =
        switch (path) {
          case "/ready" ->
              ready
                  ? "{\"connected\":true,\"registered\":true,\"connection_state\":\"connected\"}"
                  : "{\"connected\":false,\"registered\":true,\"reason\":\"link is down\"}";
          case "/api/v1/clusters" ->
              "{\"items\":[{\"id\":\"7\",\"name\":\"edge\",\"connected\":true,\"api_path\":\"/k8s/clusters/7\"}]}";
          case "/api/v1/clusters/7/tokens" -> "{\"id\":\"t1\",\"token\":\"client\"}";
          default -> "{\"gitVersion\":\"v1.34.0\"}";
        };
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  private int run(String... args) throws Exception {
    String[] all = new String[args.length + 2];
    all[0] = "check";
    all[1] = "--address=http://127.0.0.1:" + server.getAddress().getPort() + "/";
    System.arraycopy(args, 0, all, 2, args.length);
    return new CheckCommand(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8))
        .run(CommandLine.parse(all));
  }

  @Test
  void saysThatTheAgentIsThere() throws Exception {
    assertEquals(ExitCode.OK, run());
    assertTrue(out.toString(StandardCharsets.UTF_8).contains("connected and registered"));
  }

  @Test
  void saysWhyItIsNot() throws Exception {
    ready = false;
    assertEquals(ExitCode.FAILURE, run());
    assertTrue(err.toString(StandardCharsets.UTF_8).contains("link is down"));
  }

  @Test
  void goesThroughTheHubAndLeavesNoToken() throws Exception {
    Path token = Files.writeString(dir.resolve("token"), "admin\n");
    String hub = "--hub=http://127.0.0.1:" + server.getAddress().getPort();
    assertEquals(ExitCode.OK, run(hub, "--hub-token-file=" + token, "--cluster-name=edge"));
    assertTrue(out.toString(StandardCharsets.UTF_8).contains("v1.34.0"));
    assertTrue(asked.contains("GET /k8s/clusters/7/version Bearer client"), asked.toString());
    assertTrue(asked.contains("DELETE /api/v1/clusters/7/tokens/t1 Bearer admin"), asked::toString);
    assertEquals(ExitCode.FAILURE, run(hub, "--hub-token-file=" + token, "--cluster-name=another"));
    assertThrows(IOException.class, () -> run(hub));
  }
}
