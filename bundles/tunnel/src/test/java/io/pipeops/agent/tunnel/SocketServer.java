package io.pipeops.agent.tunnel;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;

/** The server's side of a WebSocket, frame by frame (RFC 6455). */
final class SocketServer {
  final Target.Exchange exchange;
  final String head;

  /** One frame as it came. */
  record Frame(int opcode, boolean fin, byte[] payload) {
    String text() {
      return new String(payload, StandardCharsets.UTF_8);
    }
  }

  private SocketServer(Target.Exchange exchange, String head) {
    this.exchange = exchange;
    this.head = head;
  }

  /** Accepts the handshake; {@code more} is further header lines, each with its end. */
  static SocketServer accept(Target.Exchange exchange, String more) throws Exception {
    String head = exchange.head();
    String key = header(head, "Sec-WebSocket-Key");
    byte[] digest =
        MessageDigest.getInstance("SHA-1")
            .digest(
                (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                    .getBytes(StandardCharsets.ISO_8859_1));
    exchange.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: "
            + Base64.getEncoder().encodeToString(digest)
            + "\r\n"
            + more
            + "\r\n");
    return new SocketServer(exchange, head);
  }

  static String header(String head, String name) {
    for (String line : head.split("\r\n")) {
      if (line.regionMatches(true, 0, name + ":", 0, name.length() + 1)) {
        return line.substring(name.length() + 1).strip();
      }
    }
    return "";
  }

  Frame read() throws IOException {
    int first = next();
    int second = next();
    long length = second & 0x7F;
    if (length == 126) {
      length = (next() << 8) | next();
    } else if (length == 127) {
      length = 0;
      for (int i = 0; i < 8; i++) {
        length = (length << 8) | next();
      }
    }
    byte[] mask = exchange.in.readNBytes(4);
    byte[] payload = exchange.in.readNBytes((int) length);
    for (int i = 0; i < payload.length; i++) {
      payload[i] ^= mask[i % 4];
    }
    return new Frame(first & 0x0F, (first & 0x80) != 0, payload);
  }

  /** Reads the next frame that is no ping, and answers pings if asked to. */
  Frame message(boolean pong) throws IOException {
    while (true) {
      Frame frame = read();
      if (frame.opcode() != 9) {
        return frame;
      }
      if (pong) {
        write(10, true, frame.payload());
      }
    }
  }

  private int next() throws IOException {
    int b = exchange.in.read();
    if (b < 0) {
      throw new EOFException();
    }
    return b;
  }

  void write(int opcode, boolean fin, byte[] payload) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(opcode | (fin ? 0x80 : 0));
    if (payload.length < 126) {
      out.write(payload.length);
    } else if (payload.length < 65536) {
      out.write(126);
      out.write(payload.length >> 8);
      out.write(payload.length);
    } else {
      out.write(127);
      for (int shift = 56; shift >= 0; shift -= 8) {
        out.write((int) ((long) payload.length >> shift));
      }
    }
    out.write(payload);
    synchronized (this) {
      exchange.out.write(out.toByteArray());
      exchange.out.flush();
    }
  }

  void text(String text) throws IOException {
    write(1, true, text.getBytes(StandardCharsets.UTF_8));
  }

  void close(int code) throws IOException {
    write(8, true, new byte[] {(byte) (code >> 8), (byte) code});
  }

  static int code(Frame close) {
    return close.payload().length < 2
        ? 1005
        : ((close.payload()[0] & 0xFF) << 8) | (close.payload()[1] & 0xFF);
  }
}
