package io.pipeops.hub;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** An agent on a bare socket, which answers nothing by itself, not even pings. */
public final class RawAgent implements AutoCloseable {
  private final Socket socket;
  private final InputStream in;
  private final DataOutputStream out;

  private RawAgent(Socket socket) throws IOException {
    this.socket = socket;
    this.in = socket.getInputStream();
    this.out = new DataOutputStream(socket.getOutputStream());
  }

  public static RawAgent connect(TestHub hub, String path, String token) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), hub.http().getPort());
    socket.setSoTimeout(10_000);
    RawAgent agent = new RawAgent(socket);
    agent.out.write(
        ("GET "
                + path
                + " HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                + "Authorization: Bearer "
                + token
                + "\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII));
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int c = agent.in.read();
      if (c < 0) {
        throw new IOException("no answer: " + head);
      }
      head.append((char) c);
    }
    if (!head.toString().startsWith("HTTP/1.1 101")) {
      throw new IOException("refused: " + head);
    }
    return agent;
  }

  /** Sends a frame with a mask of zeros. */
  public void frame(int firstByte, byte[] payload) throws IOException {
    header(firstByte, payload.length);
    out.write(payload);
    out.flush();
  }

  /** Sends only the header of a frame, with whatever length. */
  public void header(int firstByte, long length) throws IOException {
    out.writeByte(firstByte);
    if (length < 126) {
      out.writeByte(0x80 | (int) length);
    } else if (length < 1 << 16) {
      out.writeByte(0x80 | 126);
      out.writeShort((int) length);
    } else {
      out.writeByte(0x80 | 127);
      out.writeLong(length);
    }
    out.writeInt(0);
    out.flush();
  }

  public void raw(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
  }

  public void text(String text) throws IOException {
    frame(0x81, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Reads to the end; false if it does not come within ten seconds. */
  public boolean closedByPeer() {
    return closeCode() != 0;
  }

  /**
   * Reads frames until the connection ends.
   *
   * @return the code of a close frame, 1006 if the end came without one, 0 if no end came
   */
  public int closeCode() {
    try {
      while (true) {
        int first = in.read();
        if (first < 0) {
          return 1006;
        }
        int length = in.read();
        if (length == 126) {
          length = in.read() << 8 | in.read();
        } else if (length == 127) {
          in.skipNBytes(4);
          length = in.read() << 24 | in.read() << 16 | in.read() << 8 | in.read();
        }
        byte[] payload = in.readNBytes(length);
        if ((first & 0xf) == 8) {
          return payload.length < 2 ? 1005 : ((payload[0] & 0xff) << 8) | (payload[1] & 0xff);
        }
      }
    } catch (java.net.SocketTimeoutException e) {
      return 0;
    } catch (IOException e) {
      return 1006;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
