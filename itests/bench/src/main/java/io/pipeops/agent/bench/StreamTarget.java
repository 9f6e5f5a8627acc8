package io.pipeops.agent.bench;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A TCP service for single streams, and its clients. A byte says what is wanted: one large answer,
 * a large body to be taken, or an echo until the end of the connection.
 */
final class StreamTarget implements AutoCloseable {
  private static final int DOWN = 'd';
  private static final int UP = 'u';
  private static final int ECHO = 'e';
  private static final int MESSAGE = 1 << 10;
  private static final int BLOCK = 1 << 16;
  private static final int WAIT_MS = 120_000;

  private final ServerSocket server;
  private final Large large = new Large();

  /** Threads of the platform: what a target costs should not be seen in the figures. */
  private final ExecutorService threads = Executors.newCachedThreadPool();

  private StreamTarget(ServerSocket server) {
    this.server = server;
  }

  static StreamTarget start() throws IOException {
    StreamTarget target =
        new StreamTarget(new ServerSocket(0, 512, InetAddress.getLoopbackAddress()));
    target.threads.execute(target::accept);
    return target;
  }

  int port() {
    return server.getLocalPort();
  }

  Large large() {
    return large;
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        threads.execute(() -> serve(client));
      } catch (IOException e) {
        // Closed, or a client that was gone before it was accepted.
      }
    }
  }

  private void serve(Socket client) {
    try (client) {
      client.setTcpNoDelay(true);
      InputStream in = client.getInputStream();
      OutputStream out = client.getOutputStream();
      byte[] block = new byte[BLOCK];
      for (int wanted = in.read(); wanted >= 0; wanted = in.read()) {
        switch (wanted) {
          case DOWN -> large.write(out);
          case UP -> {
            skip(in, block, Large.SIZE);
            out.write(UP);
          }
          default -> {
            for (int n = in.read(block); n >= 0; n = in.read(block)) {
              out.write(block, 0, n);
            }
          }
        }
      }
    } catch (IOException e) {
      // The client went away.
    }
  }

  private static void skip(InputStream in, byte[] block, int size) throws IOException {
    for (int left = size; left > 0; ) {
      int n = in.read(block, 0, Math.min(block.length, left));
      if (n < 0) {
        throw new EOFException("cut after " + (size - left) + " of " + size + " bytes");
      }
      left -= n;
    }
  }

  /** A connection through which one thing is done again and again. */
  private abstract static class Client implements Load.Call {
    private final Socket socket;
    final InputStream in;
    final OutputStream out;

    Client(int port) throws IOException {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(WAIT_MS);
      in = socket.getInputStream();
      out = socket.getOutputStream();
    }

    @Override
    public abstract void ask() throws IOException;

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  /** Sends 1 KiB and waits until it is back. */
  static Load.Opening echo(int port) {
    return () -> {
      Client client =
          new Client(port) {
            private final byte[] message = new byte[MESSAGE];

            @Override
            public void ask() throws IOException {
              out.write(message);
              skip(in, message, message.length);
            }
          };
      client.out.write(ECHO);
      return client;
    };
  }

  /** Takes a large answer. */
  static Load.Opening down(int port) {
    return () ->
        new Client(port) {
          private final byte[] block = new byte[BLOCK];

          @Override
          public void ask() throws IOException {
            out.write(DOWN);
            skip(in, block, Large.SIZE);
          }
        };
  }

  /** Sends a large body and waits until it was taken. */
  static Load.Opening up(int port) {
    return () ->
        new Client(port) {
          private final byte[] block = new byte[BLOCK];

          @Override
          public void ask() throws IOException {
            out.write(UP);
            for (int sent = 0; sent < Large.SIZE; sent += block.length) {
              out.write(block);
            }
            skip(in, block, 1);
          }
        };
  }

  /** Asks for a large answer and reads nothing. */
  static Load.Opening stalled(int port) {
    return () ->
        new Client(port) {
          @Override
          public void ask() throws IOException {
            out.write(DOWN);
          }
        };
  }

  /** A whole life: connects, has 1 KiB sent back, and closes. */
  static void live(int port) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(WAIT_MS);
      byte[] message = new byte[MESSAGE + 1];
      Arrays.fill(message, (byte) ECHO);
      socket.getOutputStream().write(message);
      skip(socket.getInputStream(), message, MESSAGE);
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    threads.shutdownNow();
  }
}
