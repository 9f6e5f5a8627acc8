package io.pipeops.hub.ports;

import io.pipeops.agent.protocol.yamux.YamuxStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A TCP port: each connection becomes a stream of the cluster's agent. Two virtual threads for
 * each, with blocking calls, so that whoever reads slowly slows down its own writer only. Each
 * side's end of data is passed on by itself; a reset ends both.
 */
final class TcpPort implements Listening {
  private static final Logger log = LoggerFactory.getLogger(TcpPort.class);
  private static final int PIECE = 32 << 10;
  private static final int BACKLOG = 128;

  private final Route route;
  private final int limit;
  private final PortMetrics metrics;
  private final ServerSocketChannel server;
  private final Set<SocketChannel> clients = ConcurrentHashMap.newKeySet();

  /**
   * Opens the port.
   *
   * @throws IOException if that is not possible
   */
  TcpPort(InetSocketAddress address, Route route, int limit, PortMetrics metrics)
      throws IOException {
    this.route = route;
    this.limit = limit;
    this.metrics = metrics;
    this.server = ServerSocketChannel.open();
    boolean bound = false;
    try {
      server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      server.bind(address, BACKLOG);
      bound = true;
    } finally {
      if (!bound) {
        server.close();
      }
    }
    Thread.ofVirtual().name("hub-port-tcp").start(this::accept);
  }

  @Override
  public int port() {
    return server.socket().getLocalPort();
  }

  private void accept() {
    while (server.isOpen()) {
      try {
        SocketChannel client = server.accept();
        if (clients.size() >= limit) {
          metrics.refused.increment();
          client.close();
          continue;
        }
        clients.add(client);
        Thread.ofVirtual().name("hub-port-client").start(() -> serve(client));
      } catch (IOException e) {
        if (server.isOpen()) {
          log.warn("A connection was not accepted, the next one may be: cause={}", e.toString());
        }
      }
    }
  }

  private void serve(SocketChannel client) {
    metrics.tcpOpen.incrementAndGet();
    try (client) {
      client.setOption(StandardSocketOptions.TCP_NODELAY, true);
      client.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
      try (YamuxStream stream = route.tcp()) {
        metrics.tcp.increment();
        relay(client, stream);
      }
    } catch (IOException e) {
      metrics.refused.increment();
      log.debug("Connection not served: cause={}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      clients.remove(client);
      metrics.tcpOpen.decrementAndGet();
    }
  }

  private void relay(SocketChannel client, YamuxStream stream) throws InterruptedException {
    // A thread that waits for the client would not notice that the agent has reset the stream.
    stream.whenOver(() -> reset(client));
    Thread up = Thread.ofVirtual().name("hub-port-up").start(() -> up(client, stream));
    boolean ended = false;
    try {
      for (ByteBuffer data = stream.take(Duration.ZERO);
          data != null;
          data = stream.take(Duration.ZERO)) {
        metrics.out.add(data.remaining());
        while (data.hasRemaining()) {
          client.write(data);
        }
      }
      client.shutdownOutput();
      ended = true;
    } catch (IOException e) {
      log.debug("Connection ended: cause={}", e.toString());
    } finally {
      if (!ended) {
        stream.reset();
        reset(client);
      }
      up.join();
    }
    // Both sides have ended well: what the client has not fetched yet must reach it still.
    stream.whenOver(() -> {});
  }

  private void up(SocketChannel client, YamuxStream stream) {
    ByteBuffer piece = ByteBuffer.allocate(PIECE);
    boolean ended = false;
    try {
      while (client.read(piece) >= 0) {
        metrics.in.add(piece.flip().remaining());
        stream.write(piece);
        piece.clear();
      }
      stream.shutdownOutput();
      ended = true;
    } catch (IOException e) {
      log.debug("Connection ended: cause={}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      if (!ended) {
        stream.reset();
      }
    }
  }

  /** Cuts it in such a way that the client does not take it for the end of data. */
  private static void reset(SocketChannel client) {
    try {
      if (client.isOpen()) {
        client.setOption(StandardSocketOptions.SO_LINGER, 0);
        client.close();
      }
    } catch (IOException e) {
      log.trace("gone already");
    }
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      log.debug("A port does not close: cause={}", e.toString());
    }
    clients.forEach(TcpPort::reset);
  }
}
