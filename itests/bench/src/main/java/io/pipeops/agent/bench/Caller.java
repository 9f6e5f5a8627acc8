package io.pipeops.agent.bench;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import javax.net.ssl.SSLContext;

/**
 * One keep-alive HTTP/1.1 connection that asks as cheaply as it can, so that the chain is what is
 * measured.
 */
final class Caller implements Closeable {
  private final SSLContext tls;
  private final URI server;
  private Socket socket;
  private InputStream in;
  private OutputStream out;
  private final String host;
  private final String authorization;
  private final byte[] buffer = new byte[1 << 16];

  /**
   * @param tls whom to trust; null for plain HTTP
   */
  Caller(SSLContext tls, URI server, String token) throws IOException {
    this.tls = tls;
    this.server = server;
    connect();
    host = server.getHost() + ":" + server.getPort();
    authorization = token.isEmpty() ? "" : "Authorization: Bearer " + token + "\r\n";
  }

  private void connect() throws IOException {
    socket =
        tls == null
            ? new Socket(server.getHost(), server.getPort())
            : tls.getSocketFactory().createSocket(server.getHost(), server.getPort());
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(120_000);
    in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
    out = socket.getOutputStream();
  }

  /** The body's size; fails on every status but 200. */
  long get(String path) throws IOException {
    ask(path);
    return answer();
  }

  /** Asks, and waits for the first line of the answer only. */
  void begin(String path) throws IOException {
    ask(path);
    String status = line();
    if (!status.contains(" 200")) {
      throw new IOException(status);
    }
  }

  /** Asks, and reads nothing. */
  void ask(String path) throws IOException {
    out.write(
        ("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + authorization + "\r\n")
            .getBytes(StandardCharsets.ISO_8859_1));
    out.flush();
  }

  /** Sends that many bytes and reads the answer. */
  long post(String path, long size) throws IOException {
    out.write(
        ("POST "
                + path
                + " HTTP/1.1\r\nHost: "
                + host
                + "\r\nContent-Type: application/octet-stream\r\nContent-Length: "
                + size
                + "\r\n"
                + authorization
                + "\r\n")
            .getBytes(StandardCharsets.ISO_8859_1));
    byte[] block = new byte[1 << 16];
    try {
      for (long sent = 0; sent < size; sent += block.length) {
        out.write(block, 0, (int) Math.min(block.length, size - sent));
      }
      out.flush();
    } catch (IOException e) {
      // A server that takes no more has usually said why.
      answer();
      throw e;
    }
    return answer();
  }

  private long answer() throws IOException {
    String status = line();
    long length = -1;
    boolean chunked = false;
    boolean last = false;
    for (String header = line(); !header.isEmpty(); header = line()) {
      String lower = header.toLowerCase(Locale.ROOT);
      if (lower.startsWith("content-length:")) {
        length = Long.parseLong(lower.substring(15).strip());
      } else if (lower.startsWith("transfer-encoding:") && lower.contains("chunked")) {
        chunked = true;
      } else if (lower.startsWith("connection:") && lower.contains("close")) {
        // A server may end a connection after many requests.
        last = true;
      }
    }
    if (!status.contains(" 200") && length > 0) {
      byte[] said = in.readNBytes((int) Math.min(length, 500));
      throw new IOException(status + ": " + new String(said, StandardCharsets.UTF_8));
    }
    long total = 0;
    if (chunked) {
      for (long size = Long.parseLong(line(), 16); size > 0; size = Long.parseLong(line(), 16)) {
        skip(size);
        total += size;
        line();
      }
      line();
    } else {
      skip(Math.max(0, length));
      total = length;
    }
    if (!status.contains(" 200")) {
      throw new IOException(status);
    }
    if (last) {
      socket.close();
      connect();
    }
    return total;
  }

  private void skip(long size) throws IOException {
    for (long left = size; left > 0; ) {
      int n = in.read(buffer, 0, (int) Math.min(buffer.length, left));
      if (n < 0) {
        throw new EOFException("cut after " + (size - left) + " of " + size);
      }
      left -= n;
    }
  }

  private String line() throws IOException {
    StringBuilder line = new StringBuilder(64);
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("connection closed");
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
