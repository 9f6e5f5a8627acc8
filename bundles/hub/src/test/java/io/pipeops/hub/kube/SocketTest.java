package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.TestHub;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class SocketTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String EXEC = "/api/v1/namespaces/demo/pods/web/exec?command=sh&stdin=true";
  private static final String V5 = "v5.channel.k8s.io";
  private static final String HANDSHAKE =
      "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          + "Sec-WebSocket-Version: 13\r\n";

  private TestHub hub;
  private FakeAgent agent;
  private String id;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub(TestHub.quick(), HubListener.local(), "");
    agent = FakeAgent.registered(hub, "one");
  }

  @AfterEach
  void stop() {
    agent.close();
    hub.close();
  }

  private SocketClient client(String extra) throws IOException {
    return new SocketClient(
        hub, "/k8s/clusters/" + agent.clusterId + EXEC, "client-" + agent.clusterId, extra);
  }

  private CompletableFuture<SocketClient> dial(String protocols) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return client(HANDSHAKE + "Sec-WebSocket-Protocol: " + protocols + "\r\n");
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  /** A socket that the cluster has accepted. */
  private SocketClient open() throws Exception {
    CompletableFuture<SocketClient> dialled = dial(V5);
    id = agent.take("proxy_request").path("request_id").asText();
    accept(V5);
    SocketClient client = dialled.get(10, TimeUnit.SECONDS);
    assertEquals(101, client.status(), client.head);
    assertEquals(TunnelFrame.PING, anything().opcode());
    return client;
  }

  private void accept(String protocol) {
    agent.head(
        id,
        101,
        Map.of(
            "Upgrade", "websocket", "Connection", "Upgrade", "Sec-Websocket-Protocol", protocol));
    agent.end(id);
  }

  private void data(int opcode, byte[] payload) {
    agent.send(id, WebSocketData.kubernetes(id, new TunnelFrame(opcode, ByteBuffer.wrap(payload))));
  }

  /** The next message of the client; the pings between are the hub's. */
  private TunnelFrame received() throws Exception {
    TunnelFrame frame = anything();
    while (frame.opcode() == TunnelFrame.PING) {
      frame = anything();
    }
    return frame;
  }

  private TunnelFrame anything() throws Exception {
    JsonNode message = agent.take("proxy_websocket_data");
    assertEquals(id, message.path("request_id").asText());
    assertEquals(id, message.at("/payload/stream_id").asText());
    return TunnelFrame.parse(ByteBuffer.wrap(message.at("/payload/data").binaryValue()));
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private void nothingLeft() throws InterruptedException {
    TestHub.await(
        "the stream is gone",
        () -> hub.sessions.list().stream().allMatch(session -> session.streams() == 0));
  }

  @Test
  void messagesGoBothWaysAsTheyAre() throws Exception {
    CompletableFuture<SocketClient> dialled =
        dial(
            "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io");
    JsonNode request = agent.take("proxy_request");
    id = request.path("request_id").asText();
    JsonNode payload = request.path("payload");
    assertEquals("/api/v1/namespaces/demo/pods/web/exec", payload.path("path").asText());
    assertEquals("command=sh&stdin=true", payload.path("query").asText());
    assertEquals("v5.channel.k8s.io, v4.channel.k8s.io", payload.path("protocol").asText());
    assertTrue(payload.path("is_websocket").asBoolean());
    JsonNode headers = payload.path("headers");
    assertEquals("Bearer service-token", headers.path("Authorization").path(0).asText());
    assertEquals("raw", headers.path("X-Tunnel-Channels").path(0).asText());
    assertFalse(headers.toString().contains("c2VjcmV0"));
    accept("v4.channel.k8s.io");
    try (SocketClient client = dialled.get(10, TimeUnit.SECONDS)) {
      assertEquals(101, client.status());
      assertTrue(client.head.contains("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"));
      client.frame(0x82, new byte[] {0, 'l', 's', (byte) 0xff});
      TunnelFrame frame = received();
      assertEquals(TunnelFrame.BINARY, frame.opcode());
      assertArrayEquals(new byte[] {0, 'l', 's', (byte) 0xff}, bytes(frame.payload()));
      client.frame(0x01, text("grü"));
      client.frame(0x80, text("ße"));
      frame = received();
      assertEquals(TunnelFrame.TEXT, frame.opcode());
      assertEquals("grüße", new String(bytes(frame.payload()), StandardCharsets.UTF_8));
      client.frame(0x89, text("still there?"));
      SocketClient.Received pong = client.next();
      assertEquals(10, pong.opcode());
      assertArrayEquals(text("still there?"), pong.payload());
      client.frame(0x82, new byte[0]);
      assertEquals(0, received().payload().remaining());

      data(TunnelFrame.BINARY, new byte[] {1, 'o', 'k'});
      data(TunnelFrame.TEXT, text("über"));
      data(TunnelFrame.BINARY, new byte[100_000]);
      SocketClient.Received message = client.next();
      assertEquals(0x82, message.first());
      assertArrayEquals(new byte[] {1, 'o', 'k'}, message.payload());
      message = client.next();
      assertEquals(0x81, message.first());
      assertArrayEquals(text("über"), message.payload());
      assertEquals(100_000, client.next().payload().length);

      agent.send(id, WebSocketClose.kubernetes(id));
      assertEquals(1000, client.closeFrame().code());
    }
    nothingLeft();
    assertTrue(agent.inbox.isEmpty(), agent.inbox.toString());
  }

  @Test
  void orderStaysUnderLoad() throws Exception {
    try (SocketClient client = open()) {
      agent.script(
          message -> {
            if (message.path("type").asText().equals("proxy_websocket_data")) {
              try {
                ByteBuffer data = ByteBuffer.wrap(message.at("/payload/data").binaryValue());
                agent.send(id, WebSocketData.kubernetes(id, TunnelFrame.parse(data)));
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            }
          });
      int count = 3000;
      Thread writer =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < count; i++) {
                        client.frame(
                            0x82, ByteBuffer.allocate(4 + (i * 37) % 9000).putInt(i).array());
                      }
                    } catch (IOException e) {
                      throw new IllegalStateException(e);
                    }
                  });
      for (int i = 0; i < count; i++) {
        SocketClient.Received message = client.next();
        assertEquals(i, ByteBuffer.wrap(message.payload()).getInt());
        assertEquals(4 + (i * 37) % 9000, message.payload().length);
      }
      writer.join();
    }
  }

  private String spdy() throws IOException {
    try (SocketClient client = client("Upgrade: SPDY/3.1\r\n")) {
      return client.status() + " " + client.body();
    }
  }

  @Test
  void refusalReachesTheClientAlsoByWayOfSpdy() throws Exception {
    assertTrue(spdy().startsWith("501 "));
    CompletableFuture<SocketClient> dialled = dial(V5);
    id = agent.take("proxy_request").path("request_id").asText();
    agent.head(id, 403, Map.of());
    agent.send(id, new ProxyResponseAbort("API server: handshake refused (status: 403)"));
    try (SocketClient client = dialled.get(10, TimeUnit.SECONDS)) {
      assertEquals(403, client.status());
      JsonNode status = JSON.readTree(client.body());
      assertEquals("Status", status.path("kind").asText());
      assertEquals("Forbidden", status.path("reason").asText());
      assertTrue(status.path("message").asText().contains("handshake refused (status: 403)"));
    }
    String second = spdy();
    assertTrue(second.startsWith("403 ") && second.contains("handshake refused"), second);
    String third = spdy();
    assertTrue(third.startsWith("501 ") && third.contains("WebSocket"), third);
    nothingLeft();
  }

  @Test
  void refusalInTheClustersOwnWordsIsPassedOn() throws Exception {
    CompletableFuture<SocketClient> dialled = dial(V5);
    id = agent.take("proxy_request").path("request_id").asText();
    agent.send(
        id,
        ProxyResponse.of(
            404,
            Headers.of("Content-Type", "application/json"),
            ByteBuffer.wrap(text("{\"kind\":\"Status\",\"message\":\"no such pod\"}"))));
    try (SocketClient client = dialled.get(10, TimeUnit.SECONDS)) {
      assertEquals(404, client.status());
      assertEquals("{\"kind\":\"Status\",\"message\":\"no such pod\"}", client.body());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"error", "early data", "other protocol", "no upgrade", "close", "silence"})
  void agentsThatCannotAreNamed(String how) throws Exception {
    CompletableFuture<SocketClient> dialled = dial(V5);
    id = agent.take("proxy_request").path("request_id").asText();
    switch (how) {
      case "error" -> agent.send(id, new ProxyError("no route"));
      case "early data" -> data(TunnelFrame.BINARY, new byte[1]);
      case "other protocol" -> accept("v9.channel.k8s.io");
      case "no upgrade" -> agent.send(id, new ProxyResponse(200, Headers.EMPTY));
      case "close" -> agent.send(id, WebSocketClose.kubernetes(id));
      default -> {}
    }
    try (SocketClient client = dialled.get(10, TimeUnit.SECONDS)) {
      assertEquals(how.equals("silence") ? 504 : 502, client.status(), client.head);
      assertEquals("Failure", JSON.readTree(client.body()).path("status").asText());
    }
    nothingLeft();
  }

  @Test
  void clientsCloseComesAfterWhatItSent() throws Exception {
    try (SocketClient client = open()) {
      for (int i = 0; i < 50; i++) {
        client.frame(0x82, new byte[20_000]);
      }
      client.frame(0x88, new byte[] {0x0f, (byte) 0xa1, 'b', 'y', 'e'});
      for (int i = 0; i < 50; i++) {
        assertEquals(20_000, received().payload().remaining());
      }
      TunnelFrame close = received();
      assertEquals(TunnelFrame.CLOSE, close.opcode());
      assertArrayEquals(new byte[] {0x0f, (byte) 0xa1, 'b', 'y', 'e'}, bytes(close.payload()));
      assertEquals(4001, client.closeFrame().code());
      data(TunnelFrame.BINARY, text("too late"));
      agent.send(id, WebSocketClose.kubernetes(id));
      assertThrows(IOException.class, client::next);
    }
    nothingLeft();
    assertTrue(agent.inbox.isEmpty(), agent.inbox.toString());
  }

  @Test
  void agentThatDoesNotAnswerACloseIsLeft() throws Exception {
    try (SocketClient client = open()) {
      client.frame(0x88, new byte[] {3, (byte) 0xe8});
      assertEquals(TunnelFrame.CLOSE, received().opcode());
      assertEquals(id, agent.take("proxy_websocket_close").at("/payload/stream_id").asText());
    }
    nothingLeft();
  }

  @Test
  void clientThatVanishesEndsTheStream() throws Exception {
    SocketClient client = open();
    client.close();
    assertEquals(id, agent.take("proxy_websocket_close").at("/payload/stream_id").asText());
    nothingLeft();
  }

  @Test
  void agentsErrorIsTheReasonOfTheClose() throws Exception {
    try (SocketClient client = open()) {
      data(TunnelFrame.BINARY, text("last words"));
      agent.send(id, new ProxyError("ping timeout\r\n", id));
      agent.send(id, WebSocketClose.kubernetes(id));
      assertArrayEquals(text("last words"), client.next().payload());
      SocketClient.Received close = client.closeFrame();
      assertEquals(1011, close.code());
      assertEquals("ping timeout  ", close.reason());
    }
    nothingLeft();
  }

  @Test
  void agentThatIsLostClosesTheSocket() throws Exception {
    try (SocketClient client = open()) {
      agent.vanish();
      SocketClient.Received close = client.closeFrame();
      assertEquals(1011, close.code());
      assertTrue(close.reason().contains("agent"), close.reason());
    }
  }

  @Test
  void agentsCloseFrameGivesItsCode() throws Exception {
    try (SocketClient client = open()) {
      data(TunnelFrame.CLOSE, new byte[] {0x0f, (byte) 0xa2});
      assertEquals(4002, client.closeFrame().code());
    }
    nothingLeft();
  }

  @Test
  void clientThatReadsNothingIsCutAndHoldsUpNobody() throws Exception {
    try (SocketClient slow = open()) {
      String slowId = id;
      Thread flood =
          Thread.ofVirtual()
              .start(
                  () -> {
                    byte[] piece = new byte[30_000];
                    for (int i = 0; i < 400; i++) {
                      agent.send(
                          slowId,
                          WebSocketData.kubernetes(
                              slowId, new TunnelFrame(TunnelFrame.BINARY, ByteBuffer.wrap(piece))));
                    }
                  });
      flood.join();
      assertEquals(slowId, agent.take("proxy_websocket_close").path("request_id").asText());
      try (SocketClient other = open()) {
        data(TunnelFrame.TEXT, text("quick"));
        assertArrayEquals(text("quick"), other.next().payload());
      }
      assertThrows(
          IOException.class,
          () -> {
            while (true) {
              slow.next();
            }
          });
    }
  }

  @Test
  void agentThatReadsSlowlyHoldsTheClientBack() throws Exception {
    try (SocketClient client = open()) {
      CompletableFuture<Void> gate = new CompletableFuture<>();
      agent.script(
          message -> {
            gate.join();
            agent.inbox.add(message);
          });
      CompletableFuture<Void> sent =
          CompletableFuture.runAsync(
              () -> {
                try {
                  for (int i = 0; i < 1000; i++) {
                    client.frame(0x82, ByteBuffer.allocate(32 << 10).putInt(i).array());
                  }
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      assertThrows(
          java.util.concurrent.TimeoutException.class, () -> sent.get(1, TimeUnit.SECONDS));
      gate.complete(null);
      for (int i = 0; i < 1000; i++) {
        assertEquals(i, received().payload().getInt());
      }
      sent.get(10, TimeUnit.SECONDS);
    }
  }

  @Test
  void clusterThatReadsSlowlyHoldsTheClientBack() throws Exception {
    try (SocketClient client = open()) {
      data(TunnelFrame.PONG, new byte[8]);
      data(TunnelFrame.PONG, new byte[] {0x7f, 0, 0, 0, 0, 0, 0, 0});
      data(TunnelFrame.PONG, text("own"));
      data(TunnelFrame.TEXT, text("the pongs are there"));
      assertEquals(0x81, client.next().first());
      int count = 1000;
      CompletableFuture<Void> sent =
          CompletableFuture.runAsync(
              () -> {
                try {
                  for (int i = 0; i < count; i++) {
                    client.frame(0x82, ByteBuffer.allocate(32 << 10).putInt(i).array());
                  }
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      assertThrows(
          java.util.concurrent.TimeoutException.class, () -> sent.get(2, TimeUnit.SECONDS));
      assertTrue(agent.inbox.size() < 170, agent.inbox.size() + " messages came");
      for (int i = 0; i < count; ) {
        TunnelFrame frame = anything();
        if (frame.opcode() == TunnelFrame.PING) {
          data(TunnelFrame.PONG, bytes(frame.payload()));
        } else {
          assertEquals(i++, frame.payload().getInt());
        }
      }
      sent.get(10, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"long", "long in pieces", "not UTF-8", "not masked", "reserved opcode"})
  void hostileFramesOfAClientCloseTheSocket(String how) throws Exception {
    try (SocketClient client = open()) {
      int code =
          switch (how) {
            case "long" -> {
              client.frame(0x82, new byte[SocketBridge.LONGEST + 1]);
              yield 1009;
            }
            case "long in pieces" -> {
              client.frame(0x02, new byte[SocketBridge.LONGEST]);
              client.frame(0x80, new byte[1]);
              yield 1009;
            }
            case "not UTF-8" -> {
              client.frame(0x81, new byte[] {(byte) 0xc3, 'x'});
              yield 1007;
            }
            case "not masked" -> {
              client.raw(new byte[] {(byte) 0x82, 1, 'x'});
              yield 1002;
            }
            default -> {
              client.frame(0x83, new byte[1]);
              yield 1002;
            }
          };
      assertEquals(code, client.closeFrame().code());
      assertEquals(id, agent.take("proxy_websocket_close").path("request_id").asText());
    }
    nothingLeft();
  }

  @Test
  void longestMessageOfAClientPasses() throws Exception {
    try (SocketClient client = open()) {
      byte[] message = new byte[SocketBridge.LONGEST];
      Arrays.fill(message, (byte) 7);
      client.frame(0x82, message);
      assertArrayEquals(message, bytes(received().payload()));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"Aw==", "/w=="})
  void hostileFramesOfAnAgentCloseTheSocket(String data) throws Exception {
    try (SocketClient client = open()) {
      agent.sendText(
          "{\"type\":\"ws_data\",\"request_id\":\"%s\",\"payload\":{\"stream_id\":\"%s\",\"data\":\"%s\"}}"
              .formatted(id, id, data));
      assertEquals(1011, client.closeFrame().code());
      assertEquals(id, agent.take("proxy_websocket_close").path("request_id").asText());
    }
    nothingLeft();
  }

  @Test
  void badHandshakesNeverReachTheAgent() throws Exception {
    for (String extra :
        new String[] {
          "Upgrade: websocket\r\n",
          HANDSHAKE.replace("13", "8"),
          HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", ""),
          HANDSHAKE + "Content-Length: 3\r\n",
          HANDSHAKE + "Sec-WebSocket-Protocol: " + "a".repeat(200) + "\r\n"
        }) {
      try (SocketClient client = client(extra)) {
        assertEquals(400, client.status(), extra);
      }
    }
    try (SocketClient client =
        new SocketClient(hub, "/k8s/clusters/" + agent.clusterId + EXEC, "client-x", HANDSHAKE)) {
      assertEquals(403, client.status());
    }
    try (SocketClient client =
        new SocketClient(
            hub,
            "/k8s/clusters/" + agent.clusterId + "/version",
            "client-" + agent.clusterId,
            HANDSHAKE)) {
      assertEquals(400, client.status());
    }
    assertTrue(agent.inbox.isEmpty());
  }
}
