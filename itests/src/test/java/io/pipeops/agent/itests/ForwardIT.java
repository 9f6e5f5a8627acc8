package io.pipeops.agent.itests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpServer;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import redis.embedded.RedisServer;
import redis.embedded.core.ExecutableProvider;
import redis.embedded.core.PortProvider;

/** Ports of the hub that lead through the agent to TCP and UDP services. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ForwardIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final InetAddress HERE = InetAddress.getLoopbackAddress();

  @TempDir static Path dir;
  private static Spine spine;
  private static FeatureKit kit;
  private static CuttingProxy line;

  @BeforeAll
  static void start() throws Exception {
    kit = new FeatureKit(dir.resolve("features"));
    spine = Spine.prepared(dir);
    spine.hubSettings.add("hub.port_range=" + range());
    // A silent stream would be cut soon by whatever takes it for a dead one.
    spine.hubSettings.add("hub.ping_seconds=1");
    spine.hubSettings.add("hub.dead_seconds=5");
    spine.startCluster();
    spine.startHub();
    line = new CuttingProxy(URI.create(spine.hubAddress()));
    spine.values.put("link.url", "https://127.0.0.1:" + line.port());
    spine.values.put("link.ping_millis", "1000");
    spine.values.put("link.read_millis", "5000");
    // The names of services lead to this machine.
    Path hosts =
        Files.writeString(
            dir.resolve("hosts"),
            "127.0.0.1 localhost\n127.0.0.1 service.demo.svc.cluster.local.\n");
    spine.environment.put("JAVA_TOOL_OPTIONS", "-Djdk.net.hosts.file=" + hosts);
    spine.values.put("forward.local_addresses", "true");
    spine.values.put("forward.allowed_targets", "service.demo:*");
    spine.startAgent("--features-dir", kit.folder().toString());
    spine.awaitReady();
  }

  @AfterAll
  static void stop() throws IOException {
    if (line != null) {
      line.close();
    }
    if (spine != null) {
      spine.close();
    }
  }

  /** Twenty ports of which most are free. */
  private static String range() throws IOException {
    try (ServerSocket probe = new ServerSocket(0)) {
      int from = Math.min(probe.getLocalPort(), 65_000);
      return from + "-" + (from + 19);
    }
  }

  private static JsonNode open(String protocol, String service, int port) throws Exception {
    return spine.rest(
        "POST",
        "/api/v1/clusters/" + spine.clusterId() + "/ports",
        "{\"protocol\":\"%s\",\"service\":\"%s\",\"namespace\":\"demo\",\"service_port\":%d}"
            .formatted(protocol, service, port));
  }

  private static void shut(JsonNode port) throws Exception {
    spine.rest(
        "DELETE",
        "/api/v1/clusters/" + spine.clusterId() + "/ports/" + port.path("id").asText(),
        "");
  }

  private static Socket connect(JsonNode port) throws IOException {
    Socket socket = new Socket(HERE, port.path("port").asInt());
    socket.setSoTimeout(60_000);
    return socket;
  }

  private static ServerSocket echo() throws IOException {
    ServerSocket server = new ServerSocket(0, 50, HERE);
    Thread.ofVirtual()
        .start(
            () -> {
              while (!server.isClosed()) {
                try {
                  Socket client = server.accept();
                  Thread.ofVirtual().start(() -> echo(client));
                } catch (IOException e) {
                  return;
                }
              }
            });
    return server;
  }

  private static void echo(Socket client) {
    try (client) {
      client.getInputStream().transferTo(client.getOutputStream());
    } catch (IOException e) {
      // The client went away.
    }
  }

  @Test
  void tcpGoesBothWaysWholeAndEachSideEndsByItself() throws Exception {
    try (ServerSocket server = echo()) {
      JsonNode port = open("tcp", "service", server.getLocalPort());
      assertTrue(port.path("open").asBoolean());
      long size = 64L << 20;
      try (Socket socket = connect(port)) {
        CompletableFuture<Long> received =
            CompletableFuture.supplyAsync(() -> checksum(socket, size));
        CRC32 sent = new CRC32();
        Random random = new Random(1);
        byte[] piece = new byte[1 << 20];
        OutputStream out = socket.getOutputStream();
        for (long left = size; left > 0; left -= piece.length) {
          random.nextBytes(piece);
          sent.update(piece);
          out.write(piece);
        }
        socket.shutdownOutput();
        assertEquals(sent.getValue(), received.get(120, TimeUnit.SECONDS));
        assertEquals(-1, socket.getInputStream().read());
      }
      shut(port);
      assertThrows(ConnectException.class, () -> connect(port).close());
    }
  }

  private static long checksum(Socket socket, long size) {
    try {
      CRC32 sum = new CRC32();
      byte[] piece = new byte[64 << 10];
      InputStream in = socket.getInputStream();
      for (long left = size; left > 0; ) {
        int n = in.read(piece, 0, (int) Math.min(left, piece.length));
        if (n < 0) {
          throw new IOException("ends with " + left + " bytes to come");
        }
        sum.update(piece, 0, n);
        left -= n;
      }
      return sum.getValue();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void eachUdpClientGetsItsOwnAnswers() throws Exception {
    try (DatagramSocket service = new DatagramSocket(0, HERE);
        DatagramSocket one = new DatagramSocket(0, HERE);
        DatagramSocket two = new DatagramSocket(0, HERE)) {
      Thread.ofVirtual()
          .start(
              () -> {
                DatagramPacket packet = new DatagramPacket(new byte[65_507], 65_507);
                try {
                  while (true) {
                    packet.setLength(65_507);
                    service.receive(packet);
                    service.send(packet);
                  }
                } catch (IOException e) {
                  // The test is over.
                }
              });
      JsonNode port = open("udp", "service", service.getLocalPort());
      byte[] large = new byte[9000];
      new Random(2).nextBytes(large);
      for (int round = 0; round < 20; round++) {
        for (DatagramSocket client : new DatagramSocket[] {one, two}) {
          byte[] asked = (client == one ? "one" : "two").concat(" " + round).getBytes(UTF_8);
          assertArrayEquals(asked, exchange(client, port.path("port").asInt(), asked));
        }
      }
      assertArrayEquals(large, exchange(one, port.path("port").asInt(), large));
      // Or its clients are remembered, and an older version of the feature waits for them.
      shut(port);
    }
  }

  private static byte[] exchange(DatagramSocket client, int port, byte[] asked) throws IOException {
    client.setSoTimeout(30_000);
    client.send(new DatagramPacket(asked, asked.length, HERE, port));
    DatagramPacket answer = new DatagramPacket(new byte[65_507], 65_507);
    client.receive(answer);
    return java.util.Arrays.copyOf(answer.getData(), answer.getLength());
  }

  @Test
  void whatIsNotAllowedIsCutAndSaidSo() throws Exception {
    JsonNode port = open("tcp", "other", 80);
    try (Socket socket = connect(port)) {
      assertThrows(IOException.class, () -> end(socket));
    }
    Await.until(
        "counted",
        LIMIT,
        () ->
            spine
                .local("/metrics")
                .body()
                .contains("pipeops_agent_forward_refused_total{reason=\"target\"} 1"));
  }

  private static void end(Socket socket) throws IOException {
    if (socket.getInputStream().read() < 0) {
      throw new IOException("the end");
    }
  }

  @Test
  void serverSentEventsArriveAsTheyHappen() throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(HERE, 0), 0);
    CompletableFuture<OutputStream> stream = new CompletableFuture<>();
    server.createContext(
        "/events",
        exchange -> {
          exchange.getResponseHeaders().add("Content-Type", "text/event-stream");
          exchange.sendResponseHeaders(200, 0);
          stream.complete(exchange.getResponseBody());
        });
    server.start();
    try {
      JsonNode port = open("tcp", "service", server.getAddress().getPort());
      try (Socket socket = connect(port)) {
        socket.getOutputStream().write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(UTF_8));
        BufferedReader in =
            new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
        for (int i = 0; i < 10; i++) {
          OutputStream out = stream.get(30, TimeUnit.SECONDS);
          out.write(("data: event " + i + "\n\n").getBytes(UTF_8));
          out.flush();
          String wanted = "data: event " + i;
          String line = in.readLine();
          while (line != null && !line.equals(wanted)) {
            line = in.readLine();
          }
          assertEquals(wanted, line);
        }
      }
    } finally {
      server.stop(0);
    }
  }

  /** Messages, pings and closes of an application's WebSocket, also over a link that breaks. */
  @Test
  void aWebSocketOfAnApplicationIsLeftAsItIs() throws Exception {
    try (SocketApp app = new SocketApp(HERE)) {
      JsonNode port = open("tcp", "service", app.port());
      URI address = URI.create("ws://127.0.0.1:" + port.path("port").asInt() + "/echo");
      SocketTalk talk = SocketTalk.open(address);
      talk.text("grüß dich");
      assertEquals("grüß dich", talk.next());
      talk.binary(new byte[] {0, 1, 2, (byte) 0xff});
      assertArrayEquals(new byte[] {0, 1, 2, (byte) 0xff}, (byte[]) talk.next());
      byte[] large = new byte[1 << 20];
      new Random(3).nextBytes(large);
      talk.binary(large);
      assertArrayEquals(large, (byte[]) talk.next());
      line.cutEvery(1 << 20);
      String text = HexFormat.of().formatHex(large);
      talk.text(text);
      assertEquals(text, talk.next());
      line.cutEvery(Long.MAX_VALUE);
      talk.ping(new byte[3]);
      assertEquals("pong 3", talk.next());
      assertEquals("ping 3", seen(app));
      talk.text("ping me");
      assertEquals("pong 1", seen(app));
      // Longer than either end of the link may be silent.
      LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(7));
      talk.text("still here");
      assertEquals("still here", talk.next());
      talk.close(4001, "had enough");
      assertEquals("close 4001 had enough", seen(app));
      SocketTalk other = SocketTalk.open(address);
      other.text("close 4002");
      assertEquals("close 4002 as told", other.next());
    }
  }

  private static String seen(SocketApp app) throws InterruptedException {
    return app.seen.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  /** A real PostgreSQL and its own driver; the link is reset about twenty times meanwhile. */
  @Test
  void postgresNoticesNothingOfCuts() throws Exception {
    PostgresCalls.assumeServer();
    double before = ResumeIT.resumed(spine);
    try (EmbeddedPostgres server =
        EmbeddedPostgres.builder()
            .setOverrideWorkingDirectory(dir.resolve("postgres").toFile())
            .start()) {
      JsonNode port = open("tcp", "service", server.getPort());
      line.cutEvery(5 << 20);
      new PostgresCalls(port.path("port").asInt()).copyInAndOutBesideQueries();
    } finally {
      line.cutEvery(Long.MAX_VALUE);
    }
    double cuts = ResumeIT.resumed(spine) - before;
    assertTrue(cuts >= 10, "cuts: " + cuts);
  }

  /** A real Redis; the link is reset once meanwhile, and silent for longer than it may be. */
  @Test
  void redisNoticesNothingOfACut() throws Exception {
    Path home = Files.createDirectory(dir.resolve("redis"));
    File program = ExecutableProvider.newJarResourceProvider(home.toFile()).get();
    assumeTrue(
        new ProcessBuilder(program.toString(), "--version").start().waitFor() == 0,
        "skipped: the Redis of the tests needs libssl 3, which is not here");
    double before = ResumeIT.resumed(spine);
    int number = PortProvider.newEphemeralPortProvider().get();
    RedisServer server =
        RedisServer.newRedisServer()
            .executableProvider(() -> program)
            .bind("127.0.0.1")
            .port(number)
            .setting("save \"\"")
            .build();
    server.start();
    try {
      JsonNode port = open("tcp", "service", number);
      // Of about 6 MB in both directions.
      line.cutEvery(3 << 20);
      new RedisCalls(port.path("port").asInt()).pipelineWhileOthersWait(Duration.ofSeconds(6));
    } finally {
      line.cutEvery(Long.MAX_VALUE);
      server.stop();
    }
    assertTrue(ResumeIT.resumed(spine) > before, "no cut");
  }

  @Test
  @Order(Integer.MAX_VALUE)
  void connectionsOutliveAnUpgrade() throws Exception {
    try (ServerSocket server = echo()) {
      JsonNode port = open("tcp", "service", server.getLocalPort());
      Socket old = connect(port);
      assertEquals("before", echoed(old, "before"));
      kit.upgrade("forward", "1.1.0");
      Await.until("the new version is there", LIMIT, () -> states().contains("1.1.0 ACTIVE"));
      assertEquals("after", echoed(old, "after"));
      try (Socket fresh = connect(port)) {
        assertEquals("fresh", echoed(fresh, "fresh"));
      }
      assertTrue(states().contains("1.0.0 DRAINING"), states());
      old.close();
      Await.until("the old version left", LIMIT, () -> !states().contains("1.0.0"));
    }
  }

  private static String echoed(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(UTF_8));
    return new String(socket.getInputStream().readNBytes(text.length()), UTF_8);
  }

  private static String states() throws Exception {
    StringBuilder states = new StringBuilder();
    for (JsonNode feature :
        Spine.JSON.readTree(spine.local("/api/features").body()).path("features")) {
      if (feature.path("name").asText().equals("forward")) {
        states.append(feature.path("version").asText()).append(' ');
        states.append(feature.path("state").asText()).append(' ');
      }
    }
    return states.toString();
  }
}
