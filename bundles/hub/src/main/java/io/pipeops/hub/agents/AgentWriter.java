package io.pipeops.hub.agents;

import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.resume.ReplayLog;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingCallback;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;

/**
 * Decides what is sent to an agent next: control messages first, then a short message of a stream
 * that has nothing else waiting, such as a key that was pressed, then bodies, one message of each
 * stream in turn. One message is on its way at a time, so a control message waits for at most one
 * chunk. Memory is bounded: whoever adds to a body waits while its stream, or all of them together,
 * have used up their share. Safe for all threads.
 */
final class AgentWriter {
  /** Messages that open requests wait while more than this is queued before them. */
  private static final long CONTROL_SHARE = 1 << 20;

  private static final long CONTROL_LIMIT = 8 << 20;
  private static final long STREAM_SHARE = 128 << 10;
  private static final long BULK_SHARE = 2 << 20;

  /** A message of at most this size may be urgent. */
  private static final int SHORT = 2 << 10;

  /** So many urgent messages go before one that is not, if there is one. */
  private static final int URGENT_RUN = 8;

  private static final long WRITE_LIMIT_MS = TimeUnit.SECONDS.toMillis(30);

  private final AgentMetrics metrics;
  private final Consumer<CoreSession> onFailure;
  private final ArrayDeque<Message> control = new ArrayDeque<>();

  /** Binary control messages, which go out before the text ones. */
  private final ArrayDeque<Message> controlFrames = new ArrayDeque<>();

  private final Map<String, Lane> lanes = new HashMap<>();
  private final ArrayDeque<Lane> turns = new ArrayDeque<>();
  private final ArrayDeque<Lane> urgent = new ArrayDeque<>();
  private int urgentRun;

  /** What the agent has not acknowledged, so that another socket can go on (extension resume). */
  private final ReplayLog<Message> log;

  private final ArrayDeque<Message> again = new ArrayDeque<>();

  /** What is sent after this message is kept. */
  private ByteBuffer mark;

  private boolean keeping;
  private boolean agreed;

  /** Null while there is no socket. */
  private Pump pump;

  private boolean closed;
  private long controlBytes;
  private long bulkBytes;
  private long sentBytes;

  /**
   * @param metrics counts bytes and how long they waited
   * @param kept bytes that may wait for the agent's acknowledgement
   * @param onFailure told which socket cannot be written
   */
  AgentWriter(AgentMetrics metrics, long kept, Consumer<CoreSession> onFailure) {
    this.metrics = metrics;
    this.log = new ReplayLog<>(kept);
    this.onFailure = onFailure;
  }

  /** A message as it is sent; the data is never consumed. */
  private static final class Message {
    final ByteBuffer data;
    final boolean text;
    final long since = System.nanoTime();

    Message(ByteBuffer data, boolean text) {
      this.data = data;
      this.text = text;
    }

    int size() {
      return data.remaining();
    }
  }

  private static final class Lane {
    final String name;
    final boolean text;
    final ArrayDeque<Message> messages = new ArrayDeque<>();
    long bytes;

    /** Senders that wait for room; while there are any the lane must stay the stream's only one. */
    int waiting;

    boolean dropped;

    Lane(String name, boolean text) {
      this.name = name;
      this.text = text;
    }
  }

  /** Begins to write. */
  void open(CoreSession session) {
    synchronized (this) {
      pump = new Pump(session);
    }
    iterate();
  }

  private void iterate() {
    Pump now;
    synchronized (this) {
      now = pump;
    }
    if (now != null) {
      now.iterate();
    }
  }

  // The resumable link

  /** Queues the offer to resume; what is sent after it is kept. */
  boolean offer(ByteBuffer hello) {
    synchronized (this) {
      mark = hello;
    }
    return control(hello);
  }

  /** Whether all that was sent since the offer is kept; then it must be acknowledged. */
  synchronized boolean keeps() {
    agreed = keeping;
    return keeping;
  }

  /** Forgets what is kept: the agent does not resume. */
  synchronized void keepNothing() {
    keeping = false;
    mark = null;
    log.clear();
  }

  /** The agent has received so many messages in all. */
  void acknowledged(long count) throws ProtocolException {
    synchronized (this) {
      if (!keeping) {
        return;
      }
      log.acknowledge(count);
    }
    iterate();
  }

  /**
   * The socket is gone.
   *
   * @return whether another one can go on
   */
  synchronized boolean detach() {
    pump = null;
    return keeping && agreed;
  }

  /**
   * Goes on with another socket.
   *
   * @param received how many messages the agent has received in all
   */
  void attach(CoreSession session, long received) throws ProtocolException {
    synchronized (this) {
      again.clear();
      again.addAll(log.after(received));
      pump = new Pump(session);
    }
    iterate();
  }

  /** Forgets what is queued and refuses all else; wakes whoever waits. */
  synchronized void close() {
    closed = true;
    control.clear();
    controlFrames.clear();
    turns.clear();
    urgent.clear();
    lanes.values().forEach(lane -> lane.dropped = true);
    lanes.clear();
    keepNothing();
    again.clear();
    controlBytes = 0;
    bulkBytes = 0;
    notifyAll();
  }

  /** Bytes of control messages that wait. */
  synchronized long controlQueued() {
    return controlBytes;
  }

  /** Bytes of bodies and streams that wait. */
  synchronized long bulkQueued() {
    return bulkBytes;
  }

  synchronized long sentBytes() {
    return sentBytes;
  }

  /**
   * Queues a control message without waiting.
   *
   * @return false if the writer is closed or far too many wait already
   */
  boolean control(ByteBuffer message) {
    return control(new Message(message, true), control);
  }

  /** As {@link #control} for a binary message. */
  boolean controlFrame(ByteBuffer frame) {
    return control(new Message(frame, false), controlFrames);
  }

  private boolean control(Message message, ArrayDeque<Message> queue) {
    synchronized (this) {
      if (closed || controlBytes + message.size() > CONTROL_LIMIT) {
        return false;
      }
      queue.add(message);
      controlBytes += message.size();
    }
    iterate();
    return true;
  }

  /** Waits while many messages that open requests are queued. */
  synchronized void awaitRoom() throws InterruptedException {
    while (!closed && controlBytes > CONTROL_SHARE) {
      wait();
    }
  }

  /**
   * Queues a message of a stream's body; waits for room.
   *
   * @param interactive whether someone may wait for it, if it is short
   * @return false if the stream was dropped or the connection is gone
   */
  boolean bulk(String stream, ByteBuffer message, boolean interactive) throws InterruptedException {
    return bulk(stream, message, interactive, true);
  }

  /** As {@link #bulk} for a binary message; its stream is forgotten when nothing of it waits. */
  boolean frame(String stream, ByteBuffer frame) throws InterruptedException {
    return bulk(stream, frame, true, false);
  }

  private boolean bulk(String stream, ByteBuffer message, boolean interactive, boolean asText)
      throws InterruptedException {
    int size = message.remaining();
    synchronized (this) {
      if (closed) {
        return false;
      }
      Lane lane = lanes.computeIfAbsent(stream, key -> new Lane(key, asText));
      // A stream may always have one message queued, or a busy neighbour could starve it.
      while (!lane.dropped
          && lane.bytes > 0
          && (lane.bytes + size > STREAM_SHARE || bulkBytes + size > BULK_SHARE)) {
        awaitRoom(lane);
      }
      if (lane.dropped) {
        return false;
      }
      if (lane.messages.isEmpty()) {
        (interactive && size <= SHORT ? urgent : turns).add(lane);
      }
      lane.messages.add(new Message(message, lane.text));
      lane.bytes += size;
      bulkBytes += size;
    }
    iterate();
    return true;
  }

  /** The lane stays the stream's own until its sender has added to it, or has given up. */
  private void awaitRoom(Lane lane) throws InterruptedException {
    lane.waiting++;
    boolean gaveUp = true;
    try {
      wait();
      gaveUp = false;
    } finally {
      lane.waiting--;
      if (gaveUp) {
        forgetIfUnused(lane);
      }
    }
  }

  /** Forgets what is queued of a stream, and the stream. */
  synchronized void drop(String stream) {
    Lane lane = lanes.remove(stream);
    if (lane != null) {
      lane.dropped = true;
      turns.remove(lane);
      urgent.remove(lane);
      bulkBytes -= lane.bytes;
      notifyAll();
    }
  }

  private synchronized Message next(Pump asking) {
    if (asking != pump || closed) {
      return null;
    }
    Message message = again.poll();
    if (message != null) {
      return message;
    }
    if (keeping && log.full()) {
      if (agreed) {
        return null;
      }
      // Whoever has not answered the offer by now gets no more of our memory for it.
      keepNothing();
    }
    message = queued();
    if (message == null) {
      return null;
    }
    if (keeping) {
      log.add(message, message.size());
    } else if (message.data == mark) {
      keeping = true;
      mark = null;
    }
    sentBytes += message.size();
    metrics.bytesOut.add(message.size());
    notifyAll();
    return message;
  }

  private Message queued() {
    Message message = controlFrames.poll();
    if (message == null) {
      message = control.poll();
    }
    if (message != null) {
      controlBytes -= message.size();
      waited(metrics.controlWait, message);
      return message;
    }
    boolean first = !urgent.isEmpty() && (urgentRun < URGENT_RUN || turns.isEmpty());
    urgentRun = first ? urgentRun + 1 : 0;
    Lane lane = first ? urgent.poll() : turns.poll();
    if (lane == null) {
      return null;
    }
    message = lane.messages.remove();
    lane.bytes -= message.size();
    bulkBytes -= message.size();
    waited(first ? metrics.interactiveWait : metrics.bulkWait, message);
    if (!lane.messages.isEmpty()) {
      turns.add(lane);
    } else {
      forgetIfUnused(lane);
    }
    return message;
  }

  private static void waited(Metrics.Distribution time, Message message) {
    time.record((System.nanoTime() - message.since) / 1e9);
  }

  /** A second lane of one stream could overtake the first, so none is forgotten too early. */
  private void forgetIfUnused(Lane lane) {
    if (!lane.text && lane.messages.isEmpty() && lane.waiting == 0) {
      lanes.remove(lane.name, lane);
    }
  }

  /** Sends one message after the other, on whichever thread brought or finished one. */
  private final class Pump extends IteratingCallback {
    private final CoreSession socket;

    Pump(CoreSession socket) {
      this.socket = socket;
    }

    @Override
    protected Action process() {
      Message message = next(this);
      if (message == null) {
        return Action.IDLE;
      }
      Frame frame =
          new Frame(message.text ? OpCode.TEXT : OpCode.BINARY, true, message.data.duplicate());
      socket.sendFrame(
          new OutgoingEntry.Builder(frame, Callback.from(this::succeeded, this::failed))
              .batch(false)
              .messageTimeout(WRITE_LIMIT_MS)
              .build());
      return Action.SCHEDULED;
    }

    @Override
    protected void onCompleteFailure(Throwable cause) {
      boolean current;
      synchronized (AgentWriter.this) {
        current = pump == this;
      }
      if (current) {
        onFailure.accept(socket);
      }
    }
  }
}
