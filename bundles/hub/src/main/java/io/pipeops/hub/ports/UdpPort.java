package io.pipeops.hub.ports;

import io.pipeops.agent.protocol.yamux.YamuxStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A UDP port: each client, told apart by its address, becomes a stream of the cluster's agent,
 * which ends when the client was silent. What cannot be carried is lost, as UDP is.
 */
final class UdpPort implements Listening {
  private static final Logger log = LoggerFactory.getLogger(UdpPort.class);
  private static final int LONGEST = 65507;
  private static final int WAITING = 64;
  private static final Duration IDLE = Duration.ofMinutes(5);

  private final Route route;
  private final int limit;
  private final PortMetrics metrics;
  private final DatagramSocket socket;
  private final Map<SocketAddress, Client> clients = new ConcurrentHashMap<>();

  /**
   * Opens the port.
   *
   * @throws IOException if that is not possible
   */
  UdpPort(InetSocketAddress address, Route route, int limit, PortMetrics metrics)
      throws IOException {
    this.route = route;
    this.limit = limit;
    this.metrics = metrics;
    this.socket = new DatagramSocket(address);
    Thread.ofVirtual().name("hub-port-udp").start(this::receive);
  }

  @Override
  public int port() {
    return socket.getLocalPort();
  }

  private void receive() {
    byte[] buffer = new byte[LONGEST];
    DatagramPacket packet = new DatagramPacket(buffer, LONGEST);
    while (!socket.isClosed()) {
      try {
        packet.setLength(LONGEST);
        socket.receive(packet);
        byte[] data = new byte[2 + packet.getLength()];
        data[0] = (byte) (packet.getLength() >> 8);
        data[1] = (byte) packet.getLength();
        System.arraycopy(buffer, 0, data, 2, packet.getLength());
        give(packet.getSocketAddress(), data);
      } catch (IOException e) {
        if (!socket.isClosed()) {
          log.debug("Datagram lost: cause={}", e.toString());
        }
      }
    }
  }

  private void give(SocketAddress from, byte[] framed) {
    Client client = clients.get(from);
    if (client == null) {
      if (clients.size() >= limit) {
        metrics.refused.increment();
        return;
      }
      client = new Client(from);
      clients.put(from, client);
      Thread.ofVirtual().name("hub-port-client").start(client);
    }
    if (!client.waiting.offer(framed)) {
      log.trace("Datagram lost, too many wait");
    }
  }

  /** One client and its stream. */
  private final class Client implements Runnable {
    private final SocketAddress address;
    private final ArrayBlockingQueue<byte[]> waiting = new ArrayBlockingQueue<>(WAITING);
    private volatile long active = System.nanoTime();
    private volatile boolean ended;

    Client(SocketAddress address) {
      this.address = address;
    }

    @Override
    public void run() {
      metrics.udpOpen.incrementAndGet();
      try {
        boolean framed = route.framed();
        try (YamuxStream stream = route.udp(framed)) {
          metrics.udp.increment();
          Thread back = Thread.ofVirtual().name("hub-port-back").start(() -> back(stream, framed));
          try {
            toCluster(stream, framed);
          } finally {
            stream.reset();
            back.join();
          }
        }
      } catch (IOException e) {
        metrics.refused.increment();
        log.debug("UDP client not served: cause={}", e.toString());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        clients.remove(address, this);
        metrics.udpOpen.decrementAndGet();
      }
    }

    private void toCluster(YamuxStream stream, boolean framed)
        throws IOException, InterruptedException {
      while (!ended && !socket.isClosed()) {
        byte[] data = waiting.poll(1, TimeUnit.SECONDS);
        if (data == null) {
          if (System.nanoTime() - active > IDLE.toNanos()) {
            return;
          }
          continue;
        }
        active = System.nanoTime();
        metrics.in.add(data.length - 2L);
        stream.write(framed ? ByteBuffer.wrap(data) : ByteBuffer.wrap(data, 2, data.length - 2));
      }
    }

    private void back(YamuxStream stream, boolean framed) {
      ByteBuffer frame = ByteBuffer.allocate(2 + 0xFFFF);
      try {
        for (ByteBuffer piece = stream.take(Duration.ZERO);
            piece != null;
            piece = stream.take(Duration.ZERO)) {
          active = System.nanoTime();
          if (!framed) {
            send(piece);
            continue;
          }
          while (piece.hasRemaining()) {
            int wanted = frame.position() < 2 ? 2 : 2 + (frame.getShort(0) & 0xFFFF);
            int n = Math.min(wanted - frame.position(), piece.remaining());
            frame.put(piece.slice(piece.position(), n));
            piece.position(piece.position() + n);
            if (frame.position() >= 2 && frame.position() == 2 + (frame.getShort(0) & 0xFFFF)) {
              send(frame.flip().position(2));
              frame.clear();
            }
          }
        }
      } catch (IOException e) {
        log.trace("over");
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        ended = true;
      }
    }

    private void send(ByteBuffer data) throws IOException {
      int size = data.remaining();
      if (size <= LONGEST) {
        socket.send(
            new DatagramPacket(data.array(), data.arrayOffset() + data.position(), size, address));
        metrics.out.add(size);
      }
    }
  }

  @Override
  public void close() {
    socket.close();
    clients.values().forEach(client -> client.ended = true);
  }
}
