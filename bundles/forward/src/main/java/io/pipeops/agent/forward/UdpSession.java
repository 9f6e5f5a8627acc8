package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.UdpTunnelData;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One client of a UDP tunnel in the JSON form (protocol 6.3). It ends when it has been silent. */
final class UdpSession implements Forwards.Forward, Runnable {
  private static final Logger log = LoggerFactory.getLogger(UdpSession.class);
  private static final int WAITING = 64;

  private final Forwarding all;
  private final Settings settings;
  private final UdpClients.Client client;
  private final UdpTunnelData first;
  private final Consumer<UdpSession> ended;
  private final Tally tally;
  private final ArrayBlockingQueue<ByteBuffer> waiting = new ArrayBlockingQueue<>(WAITING);
  private volatile Thread thread;
  private volatile boolean over;

  UdpSession(
      Forwarding all,
      Settings settings,
      UdpClients.Client client,
      UdpTunnelData first,
      Consumer<UdpSession> ended) {
    this.all = all;
    this.settings = settings;
    this.client = client;
    this.first = first;
    this.ended = ended;
    this.tally = new Tally(Kind.UDP, all.meters());
  }

  UdpClients.Client client() {
    return client;
  }

  @Override
  public Kind kind() {
    return Kind.UDP;
  }

  /** Takes a datagram; what does not fit is lost. */
  void offer(ByteBuffer data) {
    if (data.remaining() <= DatagramRelay.LONGEST && !waiting.offer(data)) {
      log.trace("Datagram dropped, too many wait");
    }
  }

  @Override
  public void cut() {
    over = true;
    Thread running = thread;
    if (running != null) {
      running.interrupt();
    }
  }

  @Override
  public void run() {
    thread = Thread.currentThread();
    DatagramSocket socket = null;
    Thread back = null;
    try {
      socket = new DatagramSocket();
      DatagramSocket open = socket;
      open.connect(target());
      all.meters().opened(Kind.UDP);
      back = Thread.ofVirtual().name("forward-udp-back").start(() -> fromService(open));
      toService(open);
    } catch (RefusedException e) {
      all.meters().refused(e.reason());
      log.debug("Datagrams dropped: {}", e.getMessage());
    } catch (IOException e) {
      log.debug("UDP session ended: {}", e.getMessage());
    } catch (InterruptedException e) {
      log.trace("cut");
    } finally {
      if (socket != null) {
        socket.close();
      }
      if (back != null) {
        back.interrupt();
      }
      ended.accept(this);
      all.meters().closed(Kind.UDP, tally.nanos());
    }
  }

  private InetSocketAddress target() throws IOException, InterruptedException {
    String service = first.serviceName();
    String namespace = first.serviceNamespace();
    String[] target =
        JsonTunnels.target(service, namespace, first.gatewayName(), first.gatewayNamespace());
    int port = JsonTunnels.port(service, namespace, first.servicePort(), first.gatewayPort());
    Targets targets = all.targets();
    return targets
        .addresses(
            settings,
            targets.check(settings, all.server(), target[0], target[1], port),
            settings.connect())
        .getFirst();
  }

  private void toService(DatagramSocket socket) throws IOException, InterruptedException {
    long idle = settings.udpIdle().toNanos();
    while (!over && client.reply().connected()) {
      ByteBuffer data = waiting.poll(Math.min(idle, 1_000_000_000L), TimeUnit.NANOSECONDS);
      if (data == null) {
        if (tally.idle() >= idle) {
          return;
        }
        continue;
      }
      byte[] bytes = new byte[data.remaining()];
      data.get(bytes);
      try {
        socket.send(new DatagramPacket(bytes, bytes.length));
      } catch (PortUnreachableException e) {
        log.trace("nobody there");
      }
      tally.in(bytes.length);
    }
  }

  private void fromService(DatagramSocket socket) {
    byte[] buffer = new byte[DatagramRelay.LONGEST];
    DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
    try {
      while (true) {
        packet.setLength(buffer.length);
        try {
          socket.receive(packet);
        } catch (PortUnreachableException e) {
          continue;
        }
        UdpTunnelData answer =
            UdpTunnelData.answer(
                client.tunnelId(),
                ByteBuffer.wrap(buffer, 0, packet.getLength()),
                client.address(),
                client.port());
        client
            .reply()
            .send(
                Outgoing.text(
                    Priority.BULK, "udp-" + client.tunnelId(), Envelopes.write("", answer)));
        tally.out(packet.getLength());
      }
    } catch (IOException e) {
      log.trace("over");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
