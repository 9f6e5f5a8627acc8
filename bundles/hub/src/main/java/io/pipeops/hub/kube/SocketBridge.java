package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.hub.agents.AgentStream;
import io.pipeops.hub.agents.MessageAssembler;
import io.pipeops.hub.agents.PeerText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the messages of a client's WebSocket to an agent's stream and back, in order, each
 * direction on a thread of its own. The next frame of the client is asked for when the agent's
 * connection has taken the last message; the next one of the agent is taken when the client has
 * taken the last. Both sides are closed once, whichever goes first.
 */
final class SocketBridge implements FrameHandler {
  private static final Logger log = LoggerFactory.getLogger(SocketBridge.class);

  /** Longest message of a client; a longer one closes the socket (1009). */
  static final int LONGEST = 1 << 20;

  private static final int GOING_WRONG = 1011;
  private static final int LONGEST_REASON = 100;
  private static final long PING_SECONDS = 30;
  private static final long OPEN_SECONDS = 30;

  /** How long the cluster has to end the stream after the client has closed. */
  private static final long GOODBYE_SECONDS = 5;

  /** How long the client has to answer a close. */
  private static final long CUT_SECONDS = 2;

  private final AgentStream stream;
  private final Scheduler scheduler;
  private final SendWindow window = new SendWindow();
  private final MessageAssembler assembler = new MessageAssembler(LONGEST);
  private CoreSession client;
  private Frame arrived;
  private Callback arrival;
  private boolean text;
  private boolean closing;
  private boolean over;
  private Scheduler.Task pinger;
  private Scheduler.Task goodbye;

  SocketBridge(AgentStream stream, Scheduler scheduler) {
    this.stream = stream;
    this.scheduler = scheduler;
  }

  /** Carries what the cluster sends until the stream is over. Blocks; the caller closes it then. */
  void run() throws InterruptedException {
    try {
      if (!awaitOpen()) {
        return;
      }
      stream.onFailure(cause -> end(GOING_WRONG, cause.getMessage()));
      Thread.ofVirtual().name("hub-kube-socket").start(this::upload);
      download();
    } finally {
      finish();
    }
  }

  private synchronized boolean awaitOpen() throws InterruptedException {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(OPEN_SECONDS);
    while (client == null && !over) {
      long left = until - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
    return !over;
  }

  private void download() throws InterruptedException {
    try {
      for (ByteBuffer piece = stream.take(); piece != null; piece = stream.take()) {
        TunnelFrame frame = TunnelFrame.parse(piece);
        switch (frame.opcode()) {
          case TunnelFrame.TEXT -> write(OpCode.TEXT, frame.payload());
          case TunnelFrame.BINARY -> write(OpCode.BINARY, frame.payload());
          case TunnelFrame.CLOSE -> {
            closed(frame.payload());
            return;
          }
          case TunnelFrame.PONG -> window.pong(frame.payload());
          default -> log.debug("Ignored a control frame of an agent");
        }
      }
      end(CloseStatus.NORMAL, null);
    } catch (IOException e) {
      end(GOING_WRONG, e.getMessage());
    } catch (ExecutionException e) {
      log.debug("Client's WebSocket broke: cause={}", String.valueOf(e.getCause()));
    }
  }

  private void closed(ByteBuffer payload) {
    try {
      CloseStatus status = new CloseStatus(payload);
      boolean sendable = CloseStatus.isTransmittableStatusCode(status.getCode());
      end(sendable ? status.getCode() : CloseStatus.NORMAL, status.getReason());
    } catch (RuntimeException e) {
      end(CloseStatus.NORMAL, null);
    }
  }

  private void write(byte opcode, ByteBuffer payload)
      throws InterruptedException, ExecutionException {
    synchronized (this) {
      if (closing) {
        return;
      }
    }
    Callback.Completable written = new Callback.Completable();
    client.sendFrame(
        new OutgoingEntry.Builder(new Frame(opcode, true, payload), written).batch(false).build());
    written.get();
  }

  /** Closes the client's side, if nothing has yet. Never waits. */
  private void end(int code, String reason) {
    CoreSession open;
    synchronized (this) {
      if (closing || client == null) {
        return;
      }
      closing = true;
      open = client;
    }
    log.debug("WebSocket closed: code={} reason={}", code, reason);
    open.close(code, reason == null ? null : PeerText.clean(reason, LONGEST_REASON), Callback.NOOP);
    scheduler.schedule(open::abort, CUT_SECONDS, TimeUnit.SECONDS);
  }

  /** The stream is over: stops what still runs. */
  private void finish() {
    window.close();
    Callback left;
    boolean more;
    CoreSession open;
    synchronized (this) {
      over = true;
      more = arrived != null && arrived.getOpCode() != OpCode.CLOSE;
      left = arrival;
      arrival = null;
      arrived = null;
      open = client;
      cancel(pinger);
      cancel(goodbye);
      notifyAll();
    }
    if (left != null) {
      left.succeeded();
      if (more) {
        open.demand();
      }
    }
  }

  private static void cancel(Scheduler.Task task) {
    if (task != null) {
      task.cancel();
    }
  }

  // From here on: what the client sends.

  @Override
  public void onOpen(CoreSession session, Callback callback) {
    callback.succeeded();
    synchronized (this) {
      client = session;
      if (over) {
        session.abort();
        return;
      }
      schedulePing();
      notifyAll();
    }
    session.demand();
  }

  private void schedulePing() {
    pinger = scheduler.schedule(this::ping, PING_SECONDS, TimeUnit.SECONDS);
  }

  /** Keeps what lies between from cutting an idle connection. */
  private void ping() {
    synchronized (this) {
      if (over || closing) {
        return;
      }
    }
    // The next one only when this one is out: a client that reads nothing must not gather them.
    Frame frame = new Frame(OpCode.PING, true, ByteBuffer.allocate(0));
    client.sendFrame(
        frame,
        Callback.from(
            () -> {
              synchronized (this) {
                if (!over) {
                  schedulePing();
                }
              }
            },
            cause -> log.debug("Ping not sent: cause={}", cause.toString())),
        false);
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    switch (frame.getOpCode()) {
      case OpCode.PING -> {
        ByteBuffer payload = BufferUtil.copy(frame.getPayload());
        callback.succeeded();
        client.sendFrame(
            new Frame(OpCode.PONG, true, payload == null ? BufferUtil.EMPTY_BUFFER : payload),
            Callback.from(client::demand, cause -> log.debug("Pong not sent")),
            false);
      }
      case OpCode.PONG -> {
        callback.succeeded();
        client.demand();
      }
      default -> {
        synchronized (this) {
          if (!over) {
            arrived = frame;
            arrival = callback;
            notifyAll();
            return;
          }
        }
        callback.succeeded();
        if (frame.getOpCode() != OpCode.CLOSE) {
          client.demand();
        }
      }
    }
  }

  private void upload() {
    try {
      stream.sendFrame(SendWindow.first());
      for (Frame frame = next(); frame != null; frame = next()) {
        boolean more = frame.getOpCode() == OpCode.CLOSE ? farewell(frame) : forward(frame);
        Callback done;
        synchronized (this) {
          done = arrival;
          arrived = null;
          arrival = null;
        }
        if (done != null) {
          done.succeeded();
          if (more) {
            client.demand();
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.warn("WebSocket given up after a fault", e);
      stream.abort("internal error of the hub");
    }
  }

  private synchronized Frame next() throws InterruptedException {
    while (arrived == null && !over) {
      wait();
    }
    return over ? null : arrived;
  }

  /** Sends a message on when its last piece is here. */
  private boolean forward(Frame frame) throws InterruptedException {
    if (frame.getOpCode() != OpCode.CONTINUATION) {
      text = frame.getOpCode() == OpCode.TEXT;
    }
    byte[] message;
    try {
      message = assembler.add(frame.getPayload(), frame.isFin());
      if (message == null) {
        return true;
      }
      if (text) {
        StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(message));
      }
    } catch (MessageAssembler.TooLongException e) {
      return fault(CloseStatus.MESSAGE_TOO_LARGE, "a message is longer than 1 MiB");
    } catch (CharacterCodingException e) {
      return fault(CloseStatus.BAD_PAYLOAD, "a text is not UTF-8");
    }
    int opcode = text ? TunnelFrame.TEXT : TunnelFrame.BINARY;
    window.await(message.length);
    stream.sendFrame(new TunnelFrame(opcode, ByteBuffer.wrap(message)));
    TunnelFrame mark = window.sent(message.length);
    if (mark != null) {
      stream.sendFrame(mark);
    }
    return true;
  }

  private boolean fault(int code, String reason) {
    end(code, reason);
    stream.abort(reason);
    return true;
  }

  /** The client closes: the cluster hears it after all that was sent before. */
  private boolean farewell(Frame frame) throws InterruptedException {
    ByteBuffer payload = BufferUtil.copy(frame.getPayload());
    boolean answer;
    synchronized (this) {
      answer = closing;
      closing = true;
      goodbye =
          scheduler.schedule(
              () -> stream.abort("the client closed"), GOODBYE_SECONDS, TimeUnit.SECONDS);
    }
    if (!answer) {
      stream.sendFrame(
          new TunnelFrame(TunnelFrame.CLOSE, payload == null ? BufferUtil.EMPTY_BUFFER : payload));
    }
    return false;
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    log.debug("Client's WebSocket failed: cause={}", String.valueOf(cause));
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    callback.succeeded();
    boolean gone;
    synchronized (this) {
      gone = goodbye == null;
      closing = true;
    }
    if (gone) {
      stream.abort("the client went away");
    }
  }
}
