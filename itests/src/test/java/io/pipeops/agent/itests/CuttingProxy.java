package io.pipeops.agent.itests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** A bad line between agent and hub: resets connections, goes silent, or refuses, when told to. */
final class CuttingProxy implements AutoCloseable {
  private final ServerSocket server;
  private final int port;
  private final Set<Pair> pairs = ConcurrentHashMap.newKeySet();
  private volatile boolean refusing;
  private volatile long cutEvery = Long.MAX_VALUE;
  private final AtomicLong passed = new AtomicLong();

  private record Pair(Socket agent, Socket hub, boolean[] silent) {}

  CuttingProxy(URI hub) throws IOException {
    this.port = hub.getPort();
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket agent = server.accept();
        if (refusing) {
          reset(agent);
          continue;
        }
        Pair pair =
            new Pair(agent, new Socket(InetAddress.getLoopbackAddress(), port), new boolean[1]);
        pairs.add(pair);
        Thread.ofVirtual().start(() -> copy(pair, pair.agent, pair.hub));
        Thread.ofVirtual().start(() -> copy(pair, pair.hub, pair.agent));
      } catch (IOException e) {
        // The next one is tried; the end is seen by the loop.
      }
    }
  }

  private void copy(Pair pair, Socket from, Socket to) {
    byte[] buffer = new byte[16 << 10];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        synchronized (pair) {
          while (pair.silent[0]) {
            pair.wait();
          }
        }
        if (passed.addAndGet(n) >= cutEvery) {
          passed.set(0);
          // Some of it arrives, so that what is cut is cut anywhere.
          out.write(buffer, 0, n / 2);
          end(pair);
          return;
        }
        out.write(buffer, 0, n);
      }
      to.shutdownOutput();
    } catch (IOException e) {
      end(pair);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void end(Pair pair) {
    pairs.remove(pair);
    reset(pair.agent);
    reset(pair.hub);
    synchronized (pair) {
      pair.silent[0] = false;
      pair.notifyAll();
    }
  }

  private static void reset(Socket socket) {
    try {
      socket.setSoLinger(true, 0);
      socket.close();
    } catch (IOException e) {
      // It is closed already.
    }
  }

  /** Resets every connection, in both directions. */
  void cut() {
    pairs.forEach(this::end);
  }

  /** From now on resets a connection whenever so many bytes have passed. */
  void cutEvery(long bytes) {
    passed.set(0);
    cutEvery = bytes;
  }

  /** From now on nothing passes on the connections that are open, and neither end is told. */
  void silence() {
    for (Pair pair : pairs) {
      synchronized (pair) {
        pair.silent[0] = true;
      }
    }
  }

  /** Whether new connections are reset at once. */
  void refuse(boolean value) {
    refusing = value;
  }

  @Override
  public void close() throws IOException {
    server.close();
    cut();
  }
}
