package io.pipeops.hub.agents;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket of an agent (protocol 1.4), from its upgrade to its end: puts messages together,
 * answers pings, and tells its connection once that it is gone. Frames come in one after the other
 * on Jetty's threads; the next one is asked for when the last was dealt with.
 */
final class AgentSocket implements FrameHandler {
  private static final Logger log = LoggerFactory.getLogger(AgentSocket.class);

  private final AgentConnection connection;
  private final MessageAssembler assembler;
  private final String remoteAddress;
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile CoreSession session;
  private volatile boolean joined;
  private boolean text;
  private boolean closing;

  /**
   * @param resuming whether it is to take the place of a lost one, for which its first message asks
   */
  AgentSocket(
      AgentConnection connection, boolean resuming, int longestMessage, String remoteAddress) {
    this.connection = connection;
    this.joined = !resuming;
    this.assembler = new MessageAssembler(longestMessage);
    this.remoteAddress = remoteAddress;
  }

  String remoteAddress() {
    return remoteAddress;
  }

  /** What the writer sends with; null before it is open. */
  CoreSession session() {
    return session;
  }

  @Override
  public void onOpen(CoreSession opened, Callback callback) {
    session = opened;
    callback.succeeded();
    if (joined && !connection.opened(this)) {
      opened.abort();
      return;
    }
    opened.demand();
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    if (joined) {
      connection.alive();
    }
    switch (frame.getOpCode()) {
      case OpCode.TEXT, OpCode.BINARY, OpCode.CONTINUATION -> data(frame, callback);
      case OpCode.PING -> {
        ByteBuffer payload =
            ByteBuffer.wrap(
                frame.hasPayload() ? AgentStream.bytes(frame.getPayload()) : new byte[0]);
        callback.succeeded();
        session.sendFrame(new Frame(OpCode.PONG, true, payload), Callback.NOOP, false);
        session.demand();
      }
      case OpCode.PONG -> {
        callback.succeeded();
        session.demand();
      }
      default -> {
        closing = true;
        callback.succeeded();
      }
    }
  }

  private void data(Frame frame, Callback callback) {
    if (frame.getOpCode() != OpCode.CONTINUATION) {
      text = frame.getOpCode() == OpCode.TEXT;
    }
    byte[] message;
    try {
      message = assembler.add(frame.getPayload(), frame.isFin());
    } catch (MessageAssembler.TooLongException e) {
      callback.succeeded();
      connection.tooLong(this);
      return;
    }
    callback.succeeded();
    boolean more = true;
    if (message != null) {
      if (joined) {
        more = connection.message(this, message, text);
      } else {
        joined = connection.takeUp(this, message);
        more = joined;
      }
    }
    if (more) {
      session.demand();
    }
  }

  /** Asks for the next frame, after {@link AgentConnection#message} said to wait. */
  void demand() {
    session.demand();
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    log.debug("Connection failed: {} cause={}", connection.describe(), String.valueOf(cause));
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    callback.succeeded();
    end("the agent's connection ended with code " + status.getCode(), closing);
  }

  private void end(String reason, boolean meant) {
    if (over.compareAndSet(false, true)) {
      connection.ended(this, reason, meant);
    }
  }

  /** Sends a frame past everything that waits. */
  void send(byte opcode, ByteBuffer payload) {
    CoreSession open = session;
    if (open != null) {
      open.sendFrame(new Frame(opcode, true, payload), Callback.NOOP, false);
    }
  }

  /** Sends a close frame; the owner sees to it that the socket is cut if nothing answers. */
  void close(int code, String reason) {
    CoreSession open = session;
    if (open != null) {
      open.close(code, reason, Callback.NOOP);
    }
  }

  /** Cuts a socket that has not shown in time what it is for. */
  void expire() {
    if (!joined) {
      log.debug("Socket cut, it did not ask to take up a session remote={}", remoteAddress);
      abort();
    }
  }

  /** Cuts the socket at once; its connection may go on with another one. */
  void cut(String reason) {
    end(reason, false);
    abort();
  }

  /** Cuts the socket without a word to its connection. */
  void abort() {
    over.set(true);
    CoreSession open = session;
    if (open != null) {
      open.abort();
    }
  }
}
