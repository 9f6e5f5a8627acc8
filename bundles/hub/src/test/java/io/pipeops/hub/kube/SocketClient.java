package io.pipeops.hub.kube;

import io.pipeops.hub.TestHub;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A WebSocket client on a bare socket, which may do what no decent client does. */
final class SocketClient implements AutoCloseable {
  final String head;
  private final Socket socket;
  private final InputStream in;
  private final DataOutputStream out;

  /** A frame. */
  static final class Received {
    private final int first;
    private final byte[] payload;

    Received(int first, byte[] payload) {
      this.first = first;
      this.payload = payload;
    }

    int first() {
      return first;
    }

    byte[] payload() {
      return payload;
    }

    int opcode() {
      return first & 0xf;
    }

    int code() {
      return (payload[0] & 0xff) << 8 | (payload[1] & 0xff);
    }

    String reason() {
      return new String(payload, 2, payload.length - 2, StandardCharsets.UTF_8);
    }
  }

  SocketClient(TestHub hub, String path, String token, String extra) throws IOException {
    socket = new Socket();
    socket.setReceiveBufferSize(16 << 10);
    socket.setSoTimeout(10_000);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), hub.http().getPort()));
    in = socket.getInputStream();
    out = new DataOutputStream(socket.getOutputStream());
    out.write(
        ("GET "
                + path
                + " HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nAuthorization: Bearer "
                + token
                + "\r\n"
                + extra
                + "\r\n")
            .getBytes(StandardCharsets.US_ASCII));
    StringBuilder text = new StringBuilder();
    while (text.indexOf("\r\n\r\n") < 0) {
      int c = in.read();
      if (c < 0) {
        throw new IOException("no answer: " + text);
      }
      text.append((char) c);
    }
    head = text.toString();
  }

  int status() {
    return Integer.parseInt(head.substring(9, 12));
  }

  /** The body of an answer that is no upgrade. */
  String body() throws IOException {
    int at = head.toLowerCase(java.util.Locale.ROOT).indexOf("content-length: ") + 16;
    int length = Integer.parseInt(head.substring(at, head.indexOf('\r', at)).strip());
    return new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }

  /** Sends a frame with a mask of zeros. */
  void frame(int firstByte, byte[] payload) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream frame = new DataOutputStream(bytes);
    frame.writeByte(firstByte);
    if (payload.length < 126) {
      frame.writeByte(0x80 | payload.length);
    } else if (payload.length < 1 << 16) {
      frame.writeByte(0x80 | 126);
      frame.writeShort(payload.length);
    } else {
      frame.writeByte(0x80 | 127);
      frame.writeLong(payload.length);
    }
    frame.writeInt(0);
    frame.write(payload);
    raw(bytes.toByteArray());
  }

  void raw(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
  }

  Received next() throws IOException {
    int first = in.read();
    if (first < 0) {
      throw new IOException("the connection ended");
    }
    long length = in.read();
    if (length == 126) {
      length = in.read() << 8 | in.read();
    } else if (length == 127) {
      in.skipNBytes(4);
      length = (long) in.read() << 24 | in.read() << 16 | in.read() << 8 | in.read();
    }
    return new Received(first, in.readNBytes((int) length));
  }

  /** Skips everything before the close frame. */
  Received closeFrame() throws IOException {
    Received received = next();
    while (received.opcode() != 8) {
      received = next();
    }
    return received;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
