package io.pipeops.agent.protocol.yamux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One yamux session on one connection (protocol 5.3). The connection's reader thread feeds it; any
 * thread may open, accept and use streams. It ends with {@link #close}, with {@link #lost}, or by
 * itself when the peer breaks the protocol or stops answering; then all its streams fail.
 */
public final class YamuxSession implements AutoCloseable {
  private final int firstId;
  private final YamuxSettings settings;
  private final YamuxTransport transport;
  private final WindowBudget budget;
  private final KeepAlive keepAlive;
  private final FrameReader reader = new FrameReader(new Frames());
  private final Map<Integer, YamuxStream> streams = new ConcurrentHashMap<>();
  private final AtomicLong bytesReceived = new AtomicLong();
  private final AtomicLong bytesSent = new AtomicLong();

  // Guarded by this.
  private final ArrayDeque<YamuxStream> waiting = new ArrayDeque<>();
  private int nextId;
  private int unacknowledged;
  private boolean peerGoesAway;
  private boolean goesAway;

  private volatile String endReason;

  private YamuxSession(
      int firstId, YamuxSettings settings, YamuxTransport transport, WindowBudget budget) {
    this.firstId = firstId;
    this.nextId = firstId;
    this.settings = settings;
    this.transport = transport;
    this.budget = budget;
    this.keepAlive = new KeepAlive(this, settings);
  }

  /** The agent's side; its own streams would have odd ids. */
  public static YamuxSession client(
      YamuxSettings settings, YamuxTransport transport, WindowBudget budget) {
    return new YamuxSession(1, settings, transport, budget).start();
  }

  /** The gateway's side; its streams have even ids. */
  public static YamuxSession server(
      YamuxSettings settings, YamuxTransport transport, WindowBudget budget) {
    return new YamuxSession(2, settings, transport, budget).start();
  }

  private YamuxSession start() {
    keepAlive.start();
    return this;
  }

  /**
   * Takes bytes of the connection, cut in any way. Never blocks. For one thread; the buffer belongs
   * to the session from now on.
   *
   * @return false if the session is over, so that feeding it is of no use
   */
  public boolean feed(ByteBuffer bytes) {
    bytesReceived.addAndGet(bytes.remaining());
    keepAlive.heard();
    while (bytes.hasRemaining() && endReason == null) {
      String violation = reader.read(bytes);
      if (violation != null) {
        end(violation, FrameHeader.PROTOCOL_ERROR);
      }
    }
    return endReason == null;
  }

  /**
   * The next stream the peer has opened, acknowledged; waits for it.
   *
   * @return null when the session is over
   */
  public YamuxStream accept() throws InterruptedException {
    while (true) {
      YamuxStream stream;
      synchronized (this) {
        while (waiting.isEmpty() && endReason == null) {
          wait();
        }
        if (endReason != null) {
          return null;
        }
        stream = waiting.poll();
      }
      // It may have been reset while it waited; then its first use tells.
      if (accepted(stream)) {
        return stream;
      }
    }
  }

  private boolean accepted(YamuxStream stream) throws InterruptedException {
    int delta = stream.startWindow();
    boolean sent = false;
    try {
      control(FrameHeader.frame(FrameHeader.WINDOW_UPDATE, FrameHeader.ACK, stream.id(), delta));
      sent = true;
    } catch (IOException e) {
      lost("not writable: " + e.getMessage());
    } finally {
      if (!sent) {
        stream.close();
      }
    }
    return sent;
  }

  /**
   * Opens a stream. Waits while too many are not yet acknowledged by the peer.
   *
   * @throws YamuxException if the session is over or takes no new streams, or the wait was too long
   */
  public YamuxStream open() throws IOException, InterruptedException {
    YamuxStream stream;
    synchronized (this) {
      long end = System.nanoTime() + settings.timeout().toNanos();
      while (endReason == null && unacknowledged >= settings.backlog()) {
        long millis = (end - System.nanoTime() + 999_999) / 1_000_000;
        if (millis <= 0) {
          throw new YamuxException("yamux: the peer does not accept streams");
        }
        wait(millis);
      }
      if (endReason != null) {
        throw new YamuxException("yamux: " + endReason);
      }
      if (peerGoesAway || goesAway || streams.size() >= settings.maxStreams()) {
        throw new YamuxException("yamux: no new streams");
      }
      do {
        nextId += 2;
      } while (nextId - 2 == 0 || streams.containsKey(nextId - 2));
      stream = newStream(nextId - 2, true);
      unacknowledged++;
    }
    int delta = stream.startWindow();
    boolean sent = false;
    try {
      data(
          stream.id(),
          FrameHeader.frame(FrameHeader.WINDOW_UPDATE, FrameHeader.SYN, stream.id(), delta));
      sent = true;
      return stream;
    } finally {
      if (!sent) {
        stream.close();
      }
    }
  }

  private YamuxStream newStream(int id, boolean ours) {
    YamuxStream stream = new YamuxStream(id, this, ours, new ReceiveWindow(settings, budget));
    streams.put(id, stream);
    if (endReason != null) {
      stream.fail(endReason, true);
    }
    return stream;
  }

  /** Tells the peer to open no more streams; those that exist go on. */
  public void goAway() {
    synchronized (this) {
      goesAway = true;
    }
    offer(FrameHeader.frame(FrameHeader.GO_AWAY, 0, 0, FrameHeader.NORMAL));
  }

  /** Says good-bye and ends all streams. */
  @Override
  public void close() {
    end("closed here", FrameHeader.NORMAL);
  }

  /** Ends all streams because the connection is gone. */
  public void lost(String reason) {
    end(reason, -1);
  }

  private void end(String reason, int goAway) {
    synchronized (this) {
      if (endReason != null) {
        return;
      }
      endReason = reason;
      waiting.clear();
      notifyAll();
    }
    if (goAway >= 0) {
      transport.offer(FrameHeader.frame(FrameHeader.GO_AWAY, 0, 0, goAway));
    }
    new ArrayList<>(streams.values()).forEach(stream -> stream.fail(reason, true));
    keepAlive.stop();
    transport.ended(reason);
  }

  public boolean ended() {
    return endReason != null;
  }

  /** Why the session is over; null while it is not. */
  public String endReason() {
    return endReason;
  }

  public int activeStreams() {
    return streams.size();
  }

  /** The numbers of all open streams, unsigned. */
  public List<Long> streamIds() {
    List<Long> ids = new ArrayList<>();
    streams.keySet().forEach(id -> ids.add(Integer.toUnsignedLong(id)));
    return ids;
  }

  /** Resets a stream of this number, if it is there. */
  public void reset(long id) {
    YamuxStream stream = streams.get((int) id);
    if (stream != null) {
      stream.reset();
    }
  }

  /** Bytes fed so far, headers included. */
  public long bytesReceived() {
    return bytesReceived.get();
  }

  /** Bytes handed to the transport so far, headers included. */
  public long bytesSent() {
    return bytesSent.get();
  }

  /** The shortest time of late between a ping and its answer; zero if there is none yet. */
  public Duration roundTrip() {
    return Duration.ofNanos(keepAlive.roundTripNanos());
  }

  // For streams and the keep-alive.

  /** The round trip, for windows; 0 if it is not known. */
  long roundTripNanos() {
    return keepAlive.roundTripNanos();
  }

  /** Measures the round trip if that was not done yet. */
  void measureRoundTrip() {
    if (keepAlive.roundTripNanos() == 0) {
      keepAlive.ping();
    }
  }

  void data(int stream, ByteBuffer frame) throws IOException, InterruptedException {
    bytesSent.addAndGet(frame.remaining());
    transport.data(stream, frame);
  }

  void control(ByteBuffer frame) throws IOException, InterruptedException {
    bytesSent.addAndGet(frame.remaining());
    transport.control(frame);
  }

  void offer(ByteBuffer frame) {
    if (endReason == null) {
      bytesSent.addAndGet(frame.remaining());
      if (!transport.offer(frame)) {
        end("the connection takes no more control frames", -1);
      }
    }
  }

  void unanswered() {
    end("the peer does not answer pings", -1);
  }

  void resetHalfClosed() {
    for (YamuxStream stream : streams.values()) {
      if (stream.halfClosedFor(settings.halfClosed())) {
        stream.reset();
      }
    }
  }

  void remove(YamuxStream stream) {
    if (streams.remove(stream.id(), stream)) {
      acknowledged(stream);
      synchronized (this) {
        waiting.remove(stream);
      }
    }
  }

  private void acknowledged(YamuxStream stream) {
    if (stream.acknowledge()) {
      synchronized (this) {
        unacknowledged--;
        notifyAll();
      }
    }
  }

  /** What to do with the peer's frames; the texts returned tell how they break the protocol. */
  private final class Frames implements FrameReader.Sink {
    @Override
    public String header(FrameHeader header) {
      if (header.version() != 0) {
        return "yamux version " + header.version();
      }
      return switch (header.type()) {
        case FrameHeader.DATA, FrameHeader.WINDOW_UPDATE -> streamFrame(header);
        case FrameHeader.PING -> {
          if (header.has(FrameHeader.SYN)) {
            offer(FrameHeader.frame(FrameHeader.PING, FrameHeader.ACK, 0, header.value()));
          } else if (header.has(FrameHeader.ACK)) {
            keepAlive.answered(header.value());
          }
          yield null;
        }
        case FrameHeader.GO_AWAY -> peerGoesAway(header.value());
        default -> "yamux frame type " + header.type();
      };
    }

    private String peerGoesAway(int code) {
      if (code == FrameHeader.NORMAL) {
        synchronized (YamuxSession.this) {
          peerGoesAway = true;
        }
      } else {
        end("the peer went away with code " + Integer.toUnsignedString(code), -1);
      }
      return null;
    }

    private String streamFrame(FrameHeader header) {
      if (header.stream() == 0) {
        return "a stream frame without stream";
      }
      if (header.has(FrameHeader.SYN)) {
        if (streams.containsKey(header.stream())) {
          return "a second SYN for stream " + Integer.toUnsignedString(header.stream());
        }
        if (((header.stream() ^ firstId) & 1) == 0) {
          return "a new stream with our own parity: " + Integer.toUnsignedString(header.stream());
        }
        incoming(header.stream());
      }
      YamuxStream stream = streams.get(header.stream());
      if (stream == null) {
        return null;
      }
      if (header.has(FrameHeader.ACK)) {
        acknowledged(stream);
      }
      if (header.has(FrameHeader.RST)) {
        stream.fail("reset by the peer", true);
        return null;
      }
      if (header.type() == FrameHeader.DATA) {
        return stream.claimInput(header.unsigned()) ? null : "the receive window is exceeded";
      }
      if (!stream.openSendWindow(header.unsigned())) {
        return "the send window is beyond 32 bits";
      }
      if (header.has(FrameHeader.FIN)) {
        stream.endInput();
      }
      return null;
    }

    private void incoming(int id) {
      synchronized (YamuxSession.this) {
        if (!goesAway
            && endReason == null
            && waiting.size() < settings.backlog()
            && streams.size() < settings.maxStreams()) {
          waiting.add(newStream(id, false));
          YamuxSession.this.notifyAll();
          return;
        }
      }
      offer(FrameHeader.frame(FrameHeader.WINDOW_UPDATE, FrameHeader.RST, id, 0));
    }

    @Override
    public void payload(FrameHeader header, ByteBuffer part) {
      YamuxStream stream = streams.get(header.stream());
      if (stream != null && !stream.receive(part)) {
        stream.reset();
      }
    }

    @Override
    public void end(FrameHeader header) {
      YamuxStream stream = streams.get(header.stream());
      if (stream != null && header.has(FrameHeader.FIN)) {
        stream.endInput();
      }
    }

    private void end(String reason, int goAway) {
      YamuxSession.this.end(reason, goAway);
    }
  }
}
