package io.pipeops.agent.forward;

import static io.pipeops.agent.forward.Fixture.WAIT;
import static io.pipeops.agent.forward.Fixture.read;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.yamux.YamuxException;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class StreamDeskTest {
  private Fixture fixture = new Fixture(Fixture.settings());
  private ServerSocket server;

  @BeforeEach
  void listen() throws IOException {
    server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    fixture.all.server(Fixture.server(server.getLocalPort()));
  }

  @AfterEach
  void stop() throws IOException {
    fixture.close();
    server.close();
  }

  private void restart(Settings settings) {
    fixture.close();
    fixture = new Fixture(settings);
    fixture.all.server(Fixture.server(server.getLocalPort()));
  }

  private YamuxStream tcp() throws Exception {
    return fixture.open("tcp", "echo", server.getLocalPort());
  }

  private void awaitNone() {
    Fixture.await(
        () -> fixture.all.forwards().open() == 0 && fixture.agent.activeStreams() == 0,
        "connections stay");
  }

  private static String reset(YamuxStream stream) {
    return assertThrows(YamuxException.class, () -> stream.read(ByteBuffer.allocate(1), WAIT))
        .getMessage();
  }

  @Test
  void bytesGoBothWaysAndEachSideEndsByItself() throws Exception {
    YamuxStream stream = tcp();
    Socket service = server.accept();
    byte[] up = new byte[2_000_000];
    byte[] down = new byte[1_500_000];
    new Random(1).nextBytes(up);
    new Random(2).nextBytes(down);
    CompletableFuture<byte[]> received =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return service.getInputStream().readAllBytes();
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            });
    stream.write(ByteBuffer.wrap(up));
    stream.shutdownOutput();
    assertArrayEquals(up, received.get(30, TimeUnit.SECONDS));
    // The peer has ended its data; the service's goes on.
    CompletableFuture<byte[]> back =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return read(stream, down.length);
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            });
    service.getOutputStream().write(down);
    assertArrayEquals(down, back.get(30, TimeUnit.SECONDS));
    service.close();
    assertEquals(-1, stream.read(ByteBuffer.allocate(1), WAIT));
    awaitNone();
  }

  @Test
  void theServiceEndsFirst() throws Exception {
    YamuxStream stream = tcp();
    Socket service = server.accept();
    service.getOutputStream().write("bye".getBytes(UTF_8));
    service.shutdownOutput();
    assertEquals("bye", new String(read(stream, 3), UTF_8));
    assertEquals(-1, stream.read(ByteBuffer.allocate(1), WAIT));
    stream.write(ByteBuffer.wrap("late".getBytes(UTF_8)));
    assertEquals("late", new String(service.getInputStream().readNBytes(4), UTF_8));
    stream.shutdownOutput();
    assertEquals(-1, service.getInputStream().read());
    awaitNone();
  }

  @Test
  void aResetOfTheServiceResetsTheStream() throws Exception {
    YamuxStream stream = tcp();
    Socket service = server.accept();
    service.setSoLinger(true, 0);
    service.close();
    reset(stream);
    awaitNone();
  }

  @Test
  void aResetOfThePeerClosesTheService() throws Exception {
    YamuxStream stream = tcp();
    Socket service = server.accept();
    stream.close();
    assertThrowsOrEnds(service.getInputStream());
    awaitNone();
  }

  @Test
  void aPeerThatIsGoneAfterItsEndIsNoticedWhileTheServiceIsSilent() throws Exception {
    YamuxStream stream = tcp();
    Socket service = server.accept();
    stream.shutdownOutput();
    assertEquals(-1, service.getInputStream().read());
    stream.reset();
    awaitNone();
  }

  private static void assertThrowsOrEnds(InputStream in) {
    try {
      assertEquals(-1, in.read());
    } catch (IOException e) {
      assertTrue(e.getMessage().contains("reset"), e.getMessage());
    }
  }

  @Test
  void aSlowServiceSlowsItsPeerOnly() throws Exception {
    YamuxStream slow = tcp();
    server.accept();
    Thread writer =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    slow.write(ByteBuffer.allocate(64 << 20));
                  } catch (IOException | InterruptedException e) {
                    // Cut at the end of the test.
                  }
                });
    YamuxStream fast = tcp();
    Socket service = server.accept();
    for (int i = 0; i < 200; i++) {
      fast.write(ByteBuffer.wrap(new byte[] {(byte) i}));
      assertEquals(i & 0xFF, service.getInputStream().read());
    }
    assertTrue(writer.isAlive(), "64 MiB do not fit anywhere");
    slow.close();
    fast.close();
    awaitNone();
  }

  @Test
  void whatMayNotBeReachedIsReset() throws Exception {
    for (String service : new String[] {"secret", "a.b", "UPPER", "-x", "", "unknown", "x/../y"}) {
      reset(fixture.open("tcp", service, server.getLocalPort()));
    }
    reset(fixture.open("tcp", "echo", 0));
    reset(fixture.open("udp", "secret", 53));
    awaitNone();
  }

  @Test
  void localAndMetadataAddressesAreRefused() throws Exception {
    restart(Fixture.settings(false, Duration.ZERO, 10));
    reset(fixture.open("tcp", "echo", server.getLocalPort()));
    reset(fixture.open("tcp", "metadata", 80));
    for (String address :
        new String[] {
          "127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "fd00:ec2::254"
        }) {
      assertTrue(Targets.isLocal(InetAddress.getByName(address)), address);
    }
    assertFalse(Targets.isLocal(InetAddress.getByName("10.96.0.10")));
  }

  @Test
  void noMoreThanTheLimit() throws Exception {
    restart(Fixture.settings(true, Duration.ZERO, 1));
    YamuxStream first = tcp();
    server.accept();
    reset(tcp());
    first.close();
    awaitNone();
    YamuxStream next = tcp();
    server.accept();
    next.close();
  }

  @Test
  void anIdleConnectionEndsOnlyWhereThatIsSet() throws Exception {
    restart(Fixture.settings(true, Duration.ofMillis(200), 10));
    YamuxStream stream = tcp();
    server.accept();
    reset(stream);
    awaitNone();
  }

  @Test
  void datagramsKeepTheirBoundsBetweenPeersThatAgreed() throws Exception {
    try (DatagramSocket service = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      YamuxStream stream = fixture.open("udp-datagrams", "dns", service.getLocalPort());
      byte[] large = new byte[60_000];
      new Random(3).nextBytes(large);
      ByteBuffer both = ByteBuffer.allocate(2 + 5 + 2 + large.length);
      both.putShort((short) 5).put("hello".getBytes(UTF_8));
      both.putShort((short) large.length).put(large).flip();
      stream.write(both);
      DatagramPacket packet = new DatagramPacket(new byte[70_000], 70_000);
      service.receive(packet);
      assertEquals("hello", new String(packet.getData(), 0, packet.getLength(), UTF_8));
      packet.setLength(70_000);
      service.receive(packet);
      assertArrayEquals(large, Arrays.copyOf(packet.getData(), packet.getLength()));
      service.send(new DatagramPacket(new byte[] {7}, 1, packet.getSocketAddress()));
      assertArrayEquals(new byte[] {0, 1, 7}, read(stream, 3));
      stream.shutdownOutput();
      assertEquals(-1, stream.read(ByteBuffer.allocate(1), WAIT));
      awaitNone();
    }
  }

  @Test
  void otherwiseAPieceIsADatagram() throws Exception {
    try (DatagramSocket service = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      YamuxStream stream = fixture.open("udp", "dns", service.getLocalPort());
      stream.write(ByteBuffer.wrap("question".getBytes(UTF_8)));
      DatagramPacket packet = new DatagramPacket(new byte[100], 100);
      service.receive(packet);
      assertEquals("question", new String(packet.getData(), 0, packet.getLength(), UTF_8));
      service.send(new DatagramPacket("answer".getBytes(UTF_8), 6, packet.getSocketAddress()));
      assertEquals("answer", new String(read(stream, 6), UTF_8));
      stream.close();
      awaitNone();
    }
  }

  @Test
  void aSilentUdpClientIsForgotten() throws Exception {
    restart(Fixture.settings(true, Duration.ofMillis(200), 10));
    YamuxStream stream = fixture.open("udp-datagrams", "dns", 9);
    try {
      assertEquals(-1, stream.read(ByteBuffer.allocate(1), WAIT));
    } catch (YamuxException e) {
      // The end of data may be followed at once by the end of the stream.
      assertTrue(e.getMessage().contains("reset"), e.getMessage());
    }
    awaitNone();
  }

  @Test
  void requestsReachTheApiServerAsTheAgent() throws Exception {
    YamuxStream stream = fixture.open("api", "kubernetes", 443);
    Socket api = server.accept();
    assertEquals(ApiForward.CONNECTED, read(stream, 1)[0]);
    stream.write(
        ByteBuffer.wrap(
            "GET /version?x=1 HTTP/1.1\r\nHost: x\r\nAccept: a\r\n\r\n".getBytes(UTF_8)));
    assertEquals(
        "GET /base/version?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"
            + server.getLocalPort()
            + "\r\nAccept: a\r\nAuthorization: Bearer agents-own\r\n\r\n",
        head(api.getInputStream()));
    api.getOutputStream().write("HTTP/1.1 204 No Content\r\n\r\n".getBytes(UTF_8));
    assertEquals("HTTP/1.1 204 No Content\r\n\r\n", new String(read(stream, 27), UTF_8));
    assertEquals(1, fixture.all.forwards().open(Kind.API));
    fixture.all.forwards().cutIdle();
    assertEquals(1, fixture.all.forwards().open(Kind.API), "it may be waiting for a watch");
    stream.write(ByteBuffer.wrap("\r\n".getBytes(UTF_8)));
    Fixture.await(
        () -> {
          fixture.all.draining(true);
          return fixture.all.forwards().open() == 0;
        },
        "an idle stream leaves when the feature does");
    reset(stream);
  }

  @Test
  void aStreamThatIsKeptAfterTheFeatureBeganToLeaveEnds() throws Exception {
    YamuxStream stream = fixture.open("api", "kubernetes", 443);
    Socket api = server.accept();
    assertEquals(ApiForward.CONNECTED, read(stream, 1)[0]);
    stream.write(ByteBuffer.wrap("GET /a HTTP/1.1\r\n\r\n".getBytes(UTF_8)));
    head(api.getInputStream());
    fixture.all.draining(true);
    api.getOutputStream().write("HTTP/1.1 204 No Content\r\n\r\n".getBytes(UTF_8));
    assertEquals("HTTP/1.1 204 No Content\r\n\r\n", new String(read(stream, 27), UTF_8));
    stream.write(ByteBuffer.wrap("\r\n".getBytes(UTF_8)));
    Fixture.await(() -> fixture.all.forwards().open() == 0, "nobody waits for the drain limit");
    reset(stream);
  }

  @Test
  void aRefusalSaysWhyBeforeAnyRequest() throws Exception {
    server.close();
    YamuxStream stream = fixture.open("api", "kubernetes", 443);
    assertEquals(ApiForward.FAILED, read(stream, 1)[0]);
    StringBuilder why = new StringBuilder();
    ByteBuffer piece = ByteBuffer.allocate(1000);
    while (stream.read(piece, WAIT) >= 0) {
      why.append(new String(piece.array(), 0, piece.position(), UTF_8));
      piece.clear();
    }
    assertTrue(why.toString().startsWith("cannot connect to 127.0.0.1: "), why.toString());
    stream.shutdownOutput();
    awaitNone();
  }

  @Test
  void tenThousandConnectionsLeaveNothing() throws Exception {
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                while (true) {
                  server.accept().close();
                }
              } catch (IOException e) {
                // The test is over.
              }
            });
    restart(Fixture.settings(true, Duration.ZERO, 10_000));
    for (int i = 0; i < 10_000; i++) {
      tcp().close();
    }
    awaitNone();
  }

  private static String head(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.length() < 4 || !head.substring(head.length() - 4).equals("\r\n\r\n")) {
      head.append(new String(new byte[] {(byte) in.read()}, ISO_8859_1));
    }
    return head.toString();
  }
}
