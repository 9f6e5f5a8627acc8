package io.pipeops.agent.forward;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** A connection to a target. One thread may read while another one writes. */
interface Wire extends AutoCloseable {
  /** The most bytes that one record of TLS takes on the wire (RFC 8446 5.2). */
  int RECORD = 5 + (1 << 14) + 256;

  /** After so much it is worth asking whether more lies there. */
  int MUCH = 8 << 10;

  /** Reads at least one byte; -1 at the end of data. */
  int read(ByteBuffer target) throws IOException;

  /**
   * Writes all of it.
   *
   * @throws TargetGoneException if the target takes no more
   */
  void write(ByteBuffer data) throws IOException;

  /**
   * Ends what is written; reading may go on.
   *
   * @throws TargetGoneException if the target takes no more
   */
  void shutdownOutput() throws IOException;

  /** Ends it and wakes whoever reads or writes. */
  @Override
  void close();

  /** Plain TCP. */
  static Wire tcp(SocketChannel channel) {
    return new Wire() {
      @Override
      public int read(ByteBuffer target) throws IOException {
        return channel.read(target);
      }

      @Override
      public void write(ByteBuffer data) throws IOException {
        try {
          while (data.hasRemaining()) {
            channel.write(data);
          }
        } catch (IOException e) {
          throw new TargetGoneException(e);
        }
      }

      @Override
      public void shutdownOutput() throws IOException {
        try {
          channel.shutdownOutput();
        } catch (IOException e) {
          throw new TargetGoneException(e);
        }
      }

      @Override
      public void close() {
        closeQuietly(channel);
      }
    };
  }

  /**
   * TLS on a connection; returns when the handshake is done. The certificate must be for the host.
   */
  static Wire tls(
      SocketChannel channel, SSLSocketFactory factory, String host, int port, int millis)
      throws IOException {
    SSLSocket socket = (SSLSocket) factory.createSocket(channel.socket(), host, port, true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    socket.setSSLParameters(parameters);
    socket.setSoTimeout(millis);
    socket.startHandshake();
    socket.setSoTimeout(0);
    InputStream in = socket.getInputStream();
    InputStream encrypted = channel.socket().getInputStream();
    OutputStream out = socket.getOutputStream();
    return new Wire() {
      @Override
      public int read(ByteBuffer target) throws IOException {
        int n = some(target);
        // More only where a whole record lies there: what was read must not wait for the rest.
        while (n >= MUCH && target.hasRemaining() && encrypted.available() >= RECORD) {
          n += Math.max(0, some(target));
        }
        return n;
      }

      private int some(ByteBuffer target) throws IOException {
        int n =
            in.read(target.array(), target.arrayOffset() + target.position(), target.remaining());
        if (n > 0) {
          target.position(target.position() + n);
        }
        return n;
      }

      @Override
      public void write(ByteBuffer data) throws IOException {
        try {
          out.write(data.array(), data.arrayOffset() + data.position(), data.remaining());
        } catch (IOException e) {
          throw new TargetGoneException(e);
        }
        data.position(data.limit());
      }

      @Override
      public void shutdownOutput() throws IOException {
        try {
          socket.shutdownOutput();
        } catch (IOException e) {
          throw new TargetGoneException(e);
        }
      }

      @Override
      public void close() {
        // Not the TLS socket: its orderly close waits for a writer that may be stuck.
        closeQuietly(channel);
      }
    };
  }

  private static void closeQuietly(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      // There is nothing left to do with it.
    }
  }
}
