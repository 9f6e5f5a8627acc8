package io.pipeops.agent.tunnel;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server on a real socket that does exactly what a test says, byte by byte. */
final class Target implements AutoCloseable {
  /** Serves one connection. */
  interface Script {
    void serve(Exchange exchange) throws Exception;
  }

  /** One connection with its requests. */
  static final class Exchange {
    final Socket socket;
    final InputStream in;
    final OutputStream out;

    private Exchange(Socket socket) throws IOException {
      this.socket = socket;
      this.in = new BufferedInputStream(socket.getInputStream());
      this.out = socket.getOutputStream();
    }

    /** Reads a request's head; empty at the end of the connection. */
    String head() throws IOException {
      ByteArrayOutputStream head = new ByteArrayOutputStream();
      int last = 0;
      while (true) {
        int b = in.read();
        if (b < 0) {
          return "";
        }
        head.write(b);
        last = (last << 8) | b;
        if (last == 0x0D0A0D0A) {
          return head.toString(StandardCharsets.ISO_8859_1);
        }
      }
    }

    /** Reads the body that a head announces. */
    String body(String head) throws IOException {
      String lower = head.toLowerCase(java.util.Locale.ROOT);
      if (lower.contains("transfer-encoding: chunked")) {
        StringBuilder body = new StringBuilder();
        while (true) {
          int size = Integer.parseInt(line().strip(), 16);
          body.append(new String(in.readNBytes(size), StandardCharsets.UTF_8));
          line();
          if (size == 0) {
            return body.toString();
          }
        }
      }
      int at = lower.indexOf("content-length:");
      if (at < 0) {
        return "";
      }
      int size = Integer.parseInt(lower.substring(at + 15, lower.indexOf('\r', at)).strip());
      return new String(in.readNBytes(size), StandardCharsets.UTF_8);
    }

    String line() throws IOException {
      StringBuilder line = new StringBuilder();
      for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
        if (b != '\r') {
          line.append((char) b);
        }
      }
      return line.toString();
    }

    void write(String text) throws IOException {
      out.write(text.getBytes(StandardCharsets.UTF_8));
      out.flush();
    }

    void ok(String body) throws IOException {
      write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
              + body.getBytes(StandardCharsets.UTF_8).length
              + "\r\n\r\n"
              + body);
    }

    /** Waits until the other side closes; returns false if it sent something instead. */
    boolean awaitClose() {
      try {
        return in.read() < 0;
      } catch (IOException e) {
        return true;
      }
    }
  }

  final List<String> heads = new CopyOnWriteArrayList<>();
  final List<String> bodies = new CopyOnWriteArrayList<>();
  final AtomicInteger connections = new AtomicInteger();
  private final ServerSocket server;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();

  Target(Script script) throws IOException {
    this(new ServerSocket(0, 512, InetAddress.getLoopbackAddress()), script);
  }

  Target(ServerSocket server, Script script) {
    this.server = server;
    Thread.startVirtualThread(
        () -> {
          try {
            while (true) {
              Socket socket = server.accept();
              connections.incrementAndGet();
              sockets.add(socket);
              Thread.startVirtualThread(() -> serve(socket, script));
            }
          } catch (IOException e) {
            // Closed by the test.
          }
        });
  }

  private void serve(Socket socket, Script script) {
    try (socket) {
      script.serve(new Exchange(socket));
    } catch (Exception e) {
      // The agent broke it off, or the test did.
    } finally {
      sockets.remove(socket);
    }
  }

  /** Answers each request with the same text, and keeps what was asked. */
  static Target answering(String raw) throws IOException {
    Target[] self = new Target[1];
    self[0] =
        new Target(
            exchange -> {
              while (true) {
                String head = exchange.head();
                if (head.isEmpty()) {
                  return;
                }
                String body = exchange.body(head);
                self[0].heads.add(head);
                self[0].bodies.add(body);
                exchange.write(raw);
              }
            });
    return self[0];
  }

  static Target ok(String body) throws IOException {
    return answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body);
  }

  int port() {
    return server.getLocalPort();
  }

  String head() {
    return heads.getLast();
  }

  String requestLine() {
    String head = head();
    return head.substring(0, head.indexOf('\r'));
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
