package io.pipeops.agent.forward;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.TcpTunnelClose;
import io.pipeops.agent.protocol.TcpTunnelData;
import io.pipeops.agent.protocol.TcpTunnelStart;
import io.pipeops.agent.protocol.UdpTunnelData;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class JsonTunnelsTest {
  private final Forwarding all = new Forwarding(Fixture.settings(), Fixture::resolve);
  private final JsonTunnels tunnels = new JsonTunnels(all);
  private final Answers answers = new Answers();
  private ServerSocket server;

  @BeforeEach
  void listen() throws IOException {
    server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    all.server(Fixture.server(1));
  }

  @AfterEach
  void stop() throws IOException {
    tunnels.close();
    all.close();
    server.close();
  }

  /** The link, as far as this needs it. */
  private static final class Answers implements Reply {
    final Map<String, StreamReceiver> claims = new ConcurrentHashMap<>();
    final BlockingQueue<Message> sent = new LinkedBlockingQueue<>();
    volatile boolean connected = true;

    @Override
    public boolean claim(String key, StreamReceiver receiver) {
      return claims.putIfAbsent(key, receiver) == null;
    }

    @Override
    public void release(String key) {
      claims.remove(key);
    }

    @Override
    public boolean forward(String key, Message message) {
      return false;
    }

    @Override
    public void expectBinary(StreamReceiver receiver) {}

    @Override
    public void send(Outgoing message) throws LinkLostException {
      if (!offer(message)) {
        throw new LinkLostException("gone");
      }
    }

    @Override
    public boolean offer(Outgoing message) {
      byte[] bytes = new byte[message.data().remaining()];
      message.data().get(bytes);
      try {
        sent.add(Envelopes.parse(bytes, 0, bytes.length));
      } catch (ProtocolException e) {
        throw new IllegalStateException(e);
      }
      return connected;
    }

    @Override
    public boolean connected() {
      return connected;
    }

    Message next() throws InterruptedException {
      Message message = sent.poll(30, TimeUnit.SECONDS);
      assertNotNull(message);
      return message;
    }
  }

  private void give(String id, Payload payload) throws ProtocolException {
    byte[] bytes = Envelopes.write(id, payload).array();
    Message message = Envelopes.parse(bytes, 0, bytes.length);
    StreamReceiver claimed = id.isEmpty() ? null : answers.claims.get(id);
    if (claimed != null) {
      claimed.receive(message);
    } else {
      tunnels.handle(message, answers);
    }
  }

  private void start(String id, String service, int port) throws ProtocolException {
    give(id, new TcpTunnelStart("t", "", "", 0, service, "ns", port, "198.51.100.4:1"));
  }

  private static TcpTunnelData data(byte[] bytes) {
    return new TcpTunnelData(ByteBuffer.wrap(bytes), TcpTunnelData.GATEWAY_TO_AGENT);
  }

  private TcpTunnelClose closed(String id) throws Exception {
    Message message = answers.next();
    assertEquals(TcpTunnelClose.TYPE, message.type());
    assertEquals(id, message.requestId());
    return TcpTunnelClose.parse(message.payload());
  }

  @Test
  void dataThatFollowsTheStartAtOnceIsNotLostAndTheCloseHasTheCounters() throws Exception {
    start("c-1", "echo", server.getLocalPort());
    give("c-1", data("PING\r\n".getBytes(UTF_8)));
    give("c-1", data("MORE".getBytes(UTF_8)));
    Socket service = server.accept();
    assertEquals("PING\r\nMORE", new String(service.getInputStream().readNBytes(10), UTF_8));
    service.getOutputStream().write("+PONG".getBytes(UTF_8));
    TcpTunnelData answer = TcpTunnelData.parse(answers.next().payload());
    assertEquals("+PONG", UTF_8.decode(answer.data()).toString());
    assertEquals("agent_to_gateway", answer.direction());
    give("c-1", data("last".getBytes(UTF_8)));
    give("c-1", new TcpTunnelClose("", ""));
    assertEquals("last", new String(service.getInputStream().readAllBytes(), UTF_8));
    TcpTunnelClose close = closed("c-1");
    assertEquals("service_closed", close.reason());
    assertEquals(14, close.bytesSent());
    assertEquals(5, close.bytesReceived());
    assertTrue(close.durationMs() >= 0);
    Fixture.await(() -> answers.claims.isEmpty() && all.forwards().open() == 0, "it stays");
    assertTrue(answers.sent.isEmpty(), "exactly one close");
  }

  @Test
  void theServiceClosesAfterMuchData() throws Exception {
    start("c-1", "echo", server.getLocalPort());
    byte[] sent = new byte[700_000];
    new Random(4).nextBytes(sent);
    try (Socket service = server.accept()) {
      service.getOutputStream().write(sent);
    }
    ByteBuffer received = ByteBuffer.allocate(sent.length);
    while (received.hasRemaining()) {
      received.put(TcpTunnelData.parse(answers.next().payload()).data());
    }
    assertArrayEquals(sent, received.array());
    assertEquals(sent.length, closed("c-1").bytesReceived());
  }

  @Test
  void failuresAreTold() throws Exception {
    int free = server.getLocalPort();
    server.close();
    start("c-1", "echo", free);
    assertEquals("connection_failed", closed("c-1").reason());
    start("c-2", "unknown", 1);
    TcpTunnelClose unknown = closed("c-2");
    assertEquals("connection_failed", unknown.reason());
    assertEquals("there is no service unknown.ns.svc.cluster.test.", unknown.error());
    start("c-3", "evil.test", 1);
    assertEquals("connection_failed", closed("c-3").reason());
    start("c-4", "secret", 1);
    assertTrue(closed("c-4").error().contains("forward.denied_targets"));
    tunnels.handle(
        new Message("tcp_tunnel_data", "c-9", io.pipeops.agent.api.link.JsonText.of("{}")),
        answers);
    assertTrue(answers.sent.isEmpty(), "data for an unknown id is dropped");
  }

  @Test
  void aServiceThatTakesNothingCostsItsOwnConnection() throws Exception {
    start("c-1", "echo", server.getLocalPort());
    Socket service = server.accept();
    byte[] piece = new byte[256 << 10];
    for (int i = 0; i < 200 && answers.sent.isEmpty(); i++) {
      give("c-1", data(piece));
    }
    TcpTunnelClose close = closed("c-1");
    assertEquals("write_error", close.reason());
    service.close();
  }

  @Test
  void aLostLinkEndsItWithoutAWord() throws Exception {
    start("c-1", "echo", server.getLocalPort());
    Socket service = server.accept();
    answers.connected = false;
    answers.claims.get("c-1").lost("gone");
    try {
      assertEquals(-1, service.getInputStream().read());
    } catch (IOException e) {
      assertTrue(e.getMessage().contains("reset"));
    }
    Fixture.await(() -> all.forwards().open() == 0, "it stays");
    assertTrue(answers.sent.isEmpty());
  }

  @Test
  void answersOfUdpGoToTheClientThatAsked() throws Exception {
    try (DatagramSocket service = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      DatagramPacket[] asked = new DatagramPacket[2];
      for (int i = 0; i < 2; i++) {
        give(
            "",
            new UdpTunnelData(
                "udp-1",
                ByteBuffer.wrap(new byte[] {(byte) i}),
                "198.51.100.4",
                40_000 + i,
                "",
                "",
                "",
                0,
                "dns",
                "ns",
                service.getLocalPort()));
        asked[i] = new DatagramPacket(new byte[10], 10);
        service.receive(asked[i]);
        assertEquals(i, asked[i].getData()[0]);
      }
      for (int i = 1; i >= 0; i--) {
        service.send(
            new DatagramPacket(new byte[] {(byte) (10 + i)}, 1, asked[i].getSocketAddress()));
        UdpTunnelData answer = UdpTunnelData.parse(answers.next().payload());
        assertEquals(40_000 + i, answer.clientPort());
        assertEquals("198.51.100.4", answer.clientAddr());
        assertEquals(10 + i, answer.data().get());
      }
      assertEquals(2, all.forwards().open(Kind.UDP));
      tunnels.close();
      Fixture.await(() -> all.forwards().open() == 0, "sessions stay");
    }
  }
}
