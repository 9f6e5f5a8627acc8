package io.pipeops.hub.ports;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.hub.StreamAgent;
import io.pipeops.hub.TestHub;
import io.pipeops.hub.store.ServicePort;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class PortsTest {
  private static final InetAddress HERE = InetAddress.getLoopbackAddress();

  private TestHub hub;
  private StreamAgent agent;

  /** Connections and bytes together. */
  private final java.util.concurrent.atomic.AtomicLong counted =
      new java.util.concurrent.atomic.AtomicLong();

  private final PortMetrics metrics = new PortMetrics(new Nowhere());

  private final class Nowhere implements io.pipeops.agent.api.metrics.Metrics {
    @Override
    public Counter counter(String name, String help, String... labels) {
      return counted::addAndGet;
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      return value -> {};
    }
  }

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub();
  }

  @AfterEach
  void stop() {
    if (agent != null) {
      agent.close();
    }
    hub.close();
  }

  private void connect(Set<String> extensions) throws Exception {
    agent = StreamAgent.connect(hub, "lab", extensions, PortsTest::echo);
    TestHub.await(
        "the agent's answer",
        () -> hub.sessions.session(agent.clusterId()).get().streams().ready());
  }

  private static void echo(StreamHeader header, YamuxStream stream) throws Exception {
    if (header.port() == 9) {
      stream.reset();
      return;
    }
    assertEquals("svc", header.service());
    for (ByteBuffer b = stream.take(Duration.ZERO); b != null; b = stream.take(Duration.ZERO)) {
      stream.write(b);
    }
    stream.shutdownOutput();
  }

  private Route route(int target) {
    return new Route(
        hub.sessions,
        new ServicePort("p", agent.clusterId(), "tcp", 0, "svc", "ns", target, Instant.now()));
  }

  private static Socket open(Listening port) throws IOException {
    Socket socket = new Socket(HERE, port.port());
    socket.setSoTimeout(30_000);
    return socket;
  }

  @Test
  void tcpIsCarriedToItsEnd() throws Exception {
    connect(Set.of());
    try (TcpPort port = new TcpPort(new InetSocketAddress(HERE, 0), route(80), 10, metrics);
        Socket socket = open(port)) {
      byte[] data = new byte[3 << 20];
      new java.util.Random(1).nextBytes(data);
      Thread.ofVirtual()
          .start(
              () -> {
                try {
                  socket.getOutputStream().write(data);
                  socket.shutdownOutput();
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      org.junit.jupiter.api.Assertions.assertArrayEquals(
          data, socket.getInputStream().readAllBytes());
      TestHub.await("it is over", () -> metrics.tcpOpen.get() == 0);
      TestHub.await("no stream stays", () -> agent.session.activeStreams() == 0);
    }
  }

  /** The client has ended its side and reads late, when the port has long done its part. */
  @Test
  void aSlowReaderGetsTheEndToo() throws Exception {
    connect(Set.of());
    try (TcpPort port = new TcpPort(new InetSocketAddress(HERE, 0), route(80), 10, metrics);
        Socket socket = new Socket()) {
      socket.setReceiveBufferSize(8 << 10);
      socket.setSoTimeout(30_000);
      socket.connect(new InetSocketAddress(HERE, port.port()));
      byte[] data = new byte[64 << 10];
      new java.util.Random(2).nextBytes(data);
      socket.getOutputStream().write(data);
      socket.shutdownOutput();
      TestHub.await(
          "it is over", () -> counted.get() > 2 * data.length && metrics.tcpOpen.get() == 0);
      org.junit.jupiter.api.Assertions.assertArrayEquals(
          data, socket.getInputStream().readAllBytes());
    }
  }

  @Test
  void aResetStreamIsAResetConnection() throws Exception {
    connect(Set.of());
    try (TcpPort port = new TcpPort(new InetSocketAddress(HERE, 0), route(9), 10, metrics);
        Socket socket = open(port)) {
      assertThrows(IOException.class, () -> socket.getInputStream().readAllBytes());
    }
  }

  @Test
  void noMoreThanTheLimitAndNothingWithoutAnAgent() throws Exception {
    connect(Set.of());
    try (TcpPort port = new TcpPort(new InetSocketAddress(HERE, 0), route(80), 1, metrics)) {
      try (Socket first = open(port)) {
        first.getOutputStream().write('x');
        assertEquals('x', first.getInputStream().read());
        try (Socket second = open(port)) {
          assertEquals(-1, second.getInputStream().read());
        }
      }
      agent.close();
      TestHub.await("gone", () -> hub.sessions.session(agent.clusterId()).isEmpty());
      try (Socket late = open(port)) {
        assertTrue(late.getInputStream().read() < 0);
      }
    }
  }

  @Test
  void closingAPortCutsItsConnections() throws Exception {
    connect(Set.of());
    TcpPort port = new TcpPort(new InetSocketAddress(HERE, 0), route(80), 10, metrics);
    Socket socket = open(port);
    socket.getOutputStream().write('x');
    assertEquals('x', socket.getInputStream().read());
    port.close();
    assertThrows(IOException.class, () -> socket.getInputStream().readAllBytes());
    TestHub.await("no stream stays", () -> agent.session.activeStreams() == 0);
  }

  @Test
  void datagramsGoByTheClientThatSentThem() throws Exception {
    for (Set<String> extensions :
        java.util.List.of(Set.of(Extensions.DATAGRAMS), Set.<String>of())) {
      connect(extensions);
      try (UdpPort port = new UdpPort(new InetSocketAddress(HERE, 0), route(53), 10, metrics);
          DatagramSocket one = new DatagramSocket(0, HERE);
          DatagramSocket two = new DatagramSocket(0, HERE)) {
        for (int i = 0; i < 10; i++) {
          for (DatagramSocket client : new DatagramSocket[] {one, two}) {
            byte[] asked = ((client == one ? "one " : "two ") + i).getBytes(UTF_8);
            client.send(new DatagramPacket(asked, asked.length, HERE, port.port()));
            client.setSoTimeout(30_000);
            DatagramPacket answer = new DatagramPacket(new byte[100], 100);
            client.receive(answer);
            assertEquals(
                new String(asked, UTF_8),
                new String(answer.getData(), 0, answer.getLength(), UTF_8));
          }
        }
      }
      agent.close();
      TestHub.await("gone", () -> hub.sessions.session(agent.clusterId()).isEmpty());
    }
  }

  @Test
  void rangesAreReadOrRefusedWithTheirText() {
    assertEquals(new PortSettings("h", 15000, 15099, 5), PortSettings.of("h", "15000-15099", 5));
    assertEquals(new PortSettings("h", 53, 53, 5), PortSettings.of("h", " 53 ", 5));
    assertEquals(PortSettings.OFF, PortSettings.of("h", "", 5));
    for (String bad : new String[] {"a", "1-", "2-1", "0-5", "1-70000", "1-2-3"}) {
      assertTrue(
          assertThrows(IllegalArgumentException.class, () -> PortSettings.of("h", bad, 5))
              .getMessage()
              .endsWith(bad));
    }
  }
}
