package io.pipeops.agent.link;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ServerSocketFactory;

/**
 * A control plane or gateway over real sockets that does what a test tells it, also what no library
 * would: half frames, broken frames, silence. Each accepted WebSocket waits in a queue for the
 * test.
 */
final class ScriptedPeer implements AutoCloseable {
  static final int LIMIT_SECONDS = 60;

  private final ServerSocket server;
  private final boolean tls;
  private final BlockingQueue<Peer> accepted = new LinkedBlockingQueue<>();
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  final List<Request> requests = new CopyOnWriteArrayList<>();
  volatile Answer answer = request -> "";

  /** What an upgrade request said. */
  record Request(String line, Map<String, String> headers) {}

  /** Decides about an upgrade: empty for yes, else the complete HTTP response, or null to hang. */
  interface Answer {
    String to(Request request);
  }

  ScriptedPeer() throws IOException {
    this(ServerSocketFactory.getDefault(), false, 0);
  }

  ScriptedPeer(ServerSocketFactory sockets, boolean tls, int port) throws IOException {
    this.tls = tls;
    server = sockets.createServerSocket(port, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  static String refusal(int status, String body) {
    return "HTTP/1.1 "
        + status
        + " No\r\nContent-Type: text/plain\r\nContent-Length: "
        + body.getBytes(UTF_8).length
        + "\r\nConnection: close\r\n\r\n"
        + body;
  }

  int port() {
    return server.getLocalPort();
  }

  String url() {
    return (tls ? "https" : "http") + "://localhost:" + port();
  }

  /** The next WebSocket that was opened. */
  Peer next() throws InterruptedException {
    Peer peer = accepted.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
    if (peer == null) {
      throw new AssertionError("nobody connected; requests: " + requests);
    }
    return peer;
  }

  /** Whether nobody connects for a while. */
  boolean silent(long millis) throws InterruptedException {
    return accepted.poll(millis, TimeUnit.MILLISECONDS) == null;
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        sockets.add(socket);
        Thread.ofVirtual().start(() -> upgrade(socket));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void upgrade(Socket socket) {
    try {
      DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
      Request request = head(in);
      requests.add(request);
      String refused = answer.to(request);
      if (refused == null) {
        return;
      }
      OutputStream out = socket.getOutputStream();
      if (!refused.isEmpty()) {
        out.write(refused.getBytes(UTF_8));
        out.flush();
        socket.close();
        return;
      }
      String key =
          request.headers.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
      String accept =
          Base64.getEncoder()
              .encodeToString(MessageDigest.getInstance("SHA-1").digest(key.getBytes(ISO_8859_1)));
      String response =
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              + "Sec-WebSocket-Accept: "
              + accept
              + "\r\n\r\n";
      out.write(response.getBytes(ISO_8859_1));
      out.flush();
      Peer peer = new Peer(socket, in, out, request);
      accepted.add(peer);
      peer.read();
    } catch (IOException | NoSuchAlgorithmException e) {
      closeQuietly(socket);
    }
  }

  static Request head(DataInputStream in) throws IOException {
    String first = line(in);
    Map<String, String> headers = new TreeMap<>();
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).trim());
    }
    return new Request(first, headers);
  }

  private static String line(DataInputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.readUnsignedByte(); c != '\n'; c = in.readUnsignedByte()) {
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    sockets.forEach(ScriptedPeer::closeQuietly);
  }

  /** One frame of the agent. */
  record Received(int opcode, byte[] data) {
    String text() {
      return new String(data, UTF_8);
    }

    int closeCode() {
      return data.length < 2 ? 1005 : ByteBuffer.wrap(data).getShort() & 0xffff;
    }
  }

  /** One open WebSocket, seen from the peer. */
  static final class Peer {
    final Request request;
    final Socket socket;
    private final DataInputStream in;
    private final OutputStream out;
    private final BlockingQueue<Received> messages = new LinkedBlockingQueue<>();
    final BlockingQueue<Received> pings = new LinkedBlockingQueue<>();
    final BlockingQueue<Received> pongs = new LinkedBlockingQueue<>();
    final BlockingQueue<Received> closes = new LinkedBlockingQueue<>();
    volatile boolean answerPings = true;
    private boolean reading = true;

    Peer(Socket socket, DataInputStream in, OutputStream out, Request request) {
      this.socket = socket;
      this.in = in;
      this.out = out;
      this.request = request;
    }

    synchronized void reading(boolean on) {
      reading = on;
      notifyAll();
    }

    private synchronized void awaitReading() throws InterruptedException {
      while (!reading) {
        wait();
      }
    }

    private void read() {
      try {
        while (true) {
          awaitReading();
          int first = in.readUnsignedByte();
          int second = in.readUnsignedByte();
          if ((first & 0x70) != 0 || (second & 0x80) == 0) {
            throw new AssertionError("extension bits or no mask");
          }
          long length = second & 0x7f;
          if (length == 126) {
            length = in.readUnsignedShort();
          } else if (length == 127) {
            length = in.readLong();
          }
          byte[] mask = in.readNBytes(4);
          byte[] data = in.readNBytes((int) length);
          for (int i = 0; i < data.length; i++) {
            data[i] ^= mask[i & 3];
          }
          Received received = new Received(first & 0xf, data);
          switch (first & 0xf) {
            case 9 -> {
              pings.add(received);
              if (answerPings) {
                frame(0x8a, data);
              }
            }
            case 10 -> pongs.add(received);
            case 8 -> {
              closes.add(received);
              frame(0x88, data);
              socket.close();
            }
            default -> messages.add(received);
          }
        }
      } catch (IOException | InterruptedException e) {
        closes.add(new Received(-1, new byte[] {3, (byte) 0xee}));
      }
    }

    /** The next message of the agent, text or binary. */
    Received receive() throws InterruptedException {
      Received received = messages.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
      if (received == null) {
        throw new AssertionError("no message came");
      }
      return received;
    }

    /** The next message if there is one within so many milliseconds; else null. */
    Received poll(long millis) throws InterruptedException {
      return messages.poll(millis, TimeUnit.MILLISECONDS);
    }

    /** The next envelope of the agent; other types fail the test. */
    Message expect(String type) throws InterruptedException, IOException {
      byte[] data = receive().data();
      Message message = Envelopes.parse(data, 0, data.length);
      if (!message.type().equals(type)) {
        throw new AssertionError("expected " + type + ", got " + message);
      }
      return message;
    }

    boolean quiet() {
      return messages.isEmpty();
    }

    /** Answers the registration that comes next. */
    Message acceptRegistration(String clusterId, String gateway)
        throws InterruptedException, IOException {
      return acceptRegistration(clusterId, gateway, Map.of());
    }

    Message acceptRegistration(String clusterId, String gateway, Map<String, Object> extra)
        throws InterruptedException, IOException {
      Message register = expect("register");
      send(
          register.requestId(),
          new RegisterSuccess(clusterId, "", "", "", "", "", 0, "", gateway, extra));
      return register;
    }

    void send(String requestId, Payload payload) throws IOException {
      ByteBuffer data = Envelopes.write(requestId, payload);
      frame(0x81, data.array());
    }

    void text(String json) throws IOException {
      frame(0x81, json.getBytes(UTF_8));
    }

    void binary(byte[] data) throws IOException {
      frame(0x82, data);
    }

    void close(int code, String reason) throws IOException {
      byte[] text = reason.getBytes(UTF_8);
      frame(0x88, ByteBuffer.allocate(2 + text.length).putShort((short) code).put(text).array());
    }

    synchronized void frame(int first, byte[] data) throws IOException {
      ByteBuffer head = ByteBuffer.allocate(10);
      head.put((byte) first);
      if (data.length < 126) {
        head.put((byte) data.length);
      } else if (data.length < 65536) {
        head.put((byte) 126).putShort((short) data.length);
      } else {
        head.put((byte) 127).putLong(data.length);
      }
      raw(java.util.Arrays.copyOf(head.array(), head.position()), data);
    }

    /** Bytes as they are. */
    synchronized void raw(byte[]... parts) throws IOException {
      for (byte[] part : parts) {
        out.write(part);
      }
      out.flush();
    }

    /** Cuts the connection without a word. */
    void cut() throws IOException {
      if (!(socket instanceof javax.net.ssl.SSLSocket)) {
        socket.setSoLinger(true, 0);
      }
      socket.close();
    }

    /** The code of the agent's close frame; 1006 if it left without one. */
    int closeCode() throws InterruptedException {
      Received close = closes.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
      if (close == null) {
        throw new AssertionError("still open");
      }
      return close.closeCode();
    }
  }
}
