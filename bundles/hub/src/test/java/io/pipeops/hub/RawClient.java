package io.pipeops.hub;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** An HTTP client on a bare socket, for what no decent client does. */
public final class RawClient implements AutoCloseable {
  private final Socket socket;
  private final InputStream in;

  public RawClient(TestHub hub) throws IOException {
    this(hub, 0);
  }

  /**
   * @param receiveBuffer of the socket; 0 for the default
   */
  public RawClient(TestHub hub, int receiveBuffer) throws IOException {
    socket = new Socket();
    if (receiveBuffer > 0) {
      socket.setReceiveBufferSize(receiveBuffer);
    }
    socket.setSoTimeout(10_000);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), hub.http().getPort()));
    in = socket.getInputStream();
  }

  public RawClient send(String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
    return this;
  }

  public RawClient get(String path, String token) throws IOException {
    return send(
        "GET " + path + " HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer " + token + "\r\n\r\n");
  }

  /** Reads the head of an answer. */
  public String head() throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int c = in.read();
      if (c < 0) {
        throw new IOException("connection ended: " + head);
      }
      head.append((char) c);
    }
    return head.toString();
  }

  public int status() throws IOException {
    return Integer.parseInt(head().substring(9, 12));
  }

  /** Reads exactly so many bytes. */
  public String read(int count) throws IOException {
    return new String(in.readNBytes(count), StandardCharsets.ISO_8859_1);
  }

  /** Reads the body that belongs to a head, by its length or in chunks. */
  public String body(String head) throws IOException {
    java.util.regex.Matcher length =
        java.util.regex.Pattern.compile("(?i)content-length: (\\d+)").matcher(head);
    if (length.find()) {
      return read(Integer.parseInt(length.group(1)));
    }
    StringBuilder body = new StringBuilder();
    for (String chunk = chunk(); !chunk.isEmpty(); chunk = chunk()) {
      body.append(chunk);
    }
    return body.toString();
  }

  /** The first chunk of a body in chunks, after its head. */
  public String chunkOf(String head) throws IOException {
    if (!head.toLowerCase(java.util.Locale.ROOT).contains("transfer-encoding: chunked")) {
      throw new IOException("not in chunks: " + head);
    }
    return chunk();
  }

  /** Reads one chunk; empty at the end. Its closing CRLF may come with the next one. */
  public String chunk() throws IOException {
    StringBuilder size = new StringBuilder();
    while (!size.toString().strip().matches("[0-9A-Fa-f]+")
        || size.charAt(size.length() - 1) != '\n') {
      int c = in.read();
      if (c < 0) {
        throw new IOException("connection ended in a chunk");
      }
      size.append((char) c);
    }
    String chunk = read(Integer.parseInt(size.toString().strip(), 16));
    if (chunk.isEmpty()) {
      read(2);
    }
    return chunk;
  }

  /** Reads one chunk with the CRLF that closes it (RFC 9112, 7.1); empty at the end. */
  public String wholeChunk() throws IOException {
    StringBuilder size = new StringBuilder();
    while (size.length() < 2 || size.charAt(size.length() - 1) != '\n') {
      int c = in.read();
      if (c < 0) {
        throw new IOException("connection ended in a chunk");
      }
      size.append((char) c);
    }
    String chunk = read(Integer.parseInt(size.toString().strip(), 16));
    String end = read(2);
    if (!end.equals("\r\n")) {
      throw new IOException("a chunk that ends with " + end);
    }
    return chunk;
  }

  /** Reads everything until the connection ends. */
  public String rest() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      in.transferTo(out);
    } catch (java.net.SocketException e) {
      return out.toString(StandardCharsets.ISO_8859_1);
    }
    return out.toString(StandardCharsets.ISO_8859_1);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
