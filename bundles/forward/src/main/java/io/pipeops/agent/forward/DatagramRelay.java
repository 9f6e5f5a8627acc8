package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.LinkStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Carries datagrams between a stream and a UDP service, with a socket of its own, so that answers
 * go to the client that asked (Q38). A peer of ours keeps the bounds of datagrams by a length
 * before each; for others every piece that arrives is a datagram (Q39). It ends with the peer's end
 * of data or when both directions were silent for the idle time.
 */
final class DatagramRelay {
  /** The largest payload that UDP over IPv4 carries. */
  static final int LONGEST = 65507;

  private final LinkStream stream;
  private final InetSocketAddress target;
  private final boolean framed;
  private final Duration idle;
  private final Tally tally;

  DatagramRelay(
      LinkStream stream, InetSocketAddress target, boolean framed, Duration idle, Tally tally) {
    this.stream = stream;
    this.target = target;
    this.framed = framed;
    this.idle = idle;
    this.tally = tally;
  }

  void run() throws IOException, InterruptedException {
    DatagramSocket socket = new DatagramSocket();
    Thread back = null;
    try {
      socket.connect(target);
      back = Thread.ofVirtual().name("forward-udp").start(() -> fromTarget(socket));
      if (framed) {
        frames(socket);
      } else {
        for (ByteBuffer piece = take(); piece != null; piece = take()) {
          send(socket, piece);
        }
      }
    } finally {
      socket.close();
      if (back != null) {
        back.join();
      }
    }
    stream.shutdownOutput();
  }

  /** The next piece; null at the end of data or when the session is idle. */
  private ByteBuffer take() throws IOException, InterruptedException {
    while (true) {
      try {
        return stream.take(idle);
      } catch (SocketTimeoutException e) {
        if (tally.idle() >= idle.toNanos()) {
          return null;
        }
      }
    }
  }

  private void frames(DatagramSocket socket) throws IOException, InterruptedException {
    ByteBuffer frame = ByteBuffer.allocate(2 + 0xFFFF);
    for (ByteBuffer piece = take(); piece != null; piece = take()) {
      while (piece.hasRemaining()) {
        int wanted = frame.position() < 2 ? 2 : 2 + (frame.getShort(0) & 0xFFFF);
        int n = Math.min(wanted - frame.position(), piece.remaining());
        frame.put(piece.slice(piece.position(), n));
        piece.position(piece.position() + n);
        if (frame.position() >= 2 && frame.position() == 2 + (frame.getShort(0) & 0xFFFF)) {
          send(socket, frame.flip().position(2));
          frame.clear();
        }
      }
    }
  }

  private void send(DatagramSocket socket, ByteBuffer data) throws IOException {
    int size = data.remaining();
    if (size > LONGEST) {
      throw new IOException("a datagram of " + size + " bytes");
    }
    try {
      socket.send(new DatagramPacket(data.array(), data.arrayOffset() + data.position(), size));
      tally.in(size);
    } catch (PortUnreachableException e) {
      // As on any network: the datagram is lost, the next one may arrive.
      tally.in(0);
    }
  }

  private void fromTarget(DatagramSocket socket) {
    byte[] buffer = new byte[2 + LONGEST];
    DatagramPacket packet = new DatagramPacket(buffer, 2, LONGEST);
    try {
      while (true) {
        packet.setData(buffer, 2, LONGEST);
        try {
          socket.receive(packet);
        } catch (PortUnreachableException e) {
          continue;
        }
        int size = packet.getLength();
        ByteBuffer data = ByteBuffer.wrap(buffer, 2, size);
        if (framed) {
          data = ByteBuffer.wrap(buffer, 0, 2 + size);
          data.putShort(0, (short) size);
        }
        if (framed || size > 0) {
          stream.write(data);
        }
        tally.out(size);
      }
    } catch (IOException e) {
      // The socket was closed because the session is over, or the stream is gone.
      if (!socket.isClosed()) {
        stream.reset();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
