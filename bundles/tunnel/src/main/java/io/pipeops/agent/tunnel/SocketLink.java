package io.pipeops.agent.tunnel;

import io.pipeops.agent.protocol.TunnelFrame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.client.CoreClientUpgradeRequest;
import org.eclipse.jetty.websocket.core.client.UpgradeListener;
import org.eclipse.jetty.websocket.core.client.WebSocketCoreClient;
import org.eclipse.jetty.websocket.core.exception.UpgradeException;

/**
 * The WebSocket to a target. Its threads leave one frame at a time here and wake the stream's
 * thread; the next one is read when that has dealt with it, which is the back-pressure.
 */
final class SocketLink implements FrameHandler, UpgradeListener {
  private static final int INPUT_BUFFER = 16 << 10;

  private final Gate gate;
  private volatile HttpFields answer = HttpFields.EMPTY;
  private volatile CoreSession session;
  private volatile Throwable failure;
  private volatile CloseStatus closed;
  private volatile boolean writing;
  private volatile Arrival arrival;
  private volatile Request asked;
  private Future<?> handshake;

  /** A frame, valid until it is done. */
  record Arrival(Frame frame, Callback callback) {}

  SocketLink(Gate gate) {
    this.gate = gate;
  }

  /** Begins the handshake. */
  void dial(
      WebSocketCoreClient client, SocketRequest request, HttpFields headers, Settings settings)
      throws IOException {
    CoreClientUpgradeRequest upgrade =
        CoreClientUpgradeRequest.from(client, request.route().socketUri(), this);
    upgrade.headers(fields -> fields.add(headers));
    upgrade.timeout(settings.answer().toMillis(), TimeUnit.MILLISECONDS);
    Configuration.ConfigurationCustomizer configuration =
        new Configuration.ConfigurationCustomizer();
    configuration.setIdleTimeout(Duration.ZERO);
    // Outgoing messages stay whole, because the API server joins no fragments; incoming ones come
    // in pieces of the input buffer.
    configuration.setMaxFrameSize(settings.socketBytes() + 1L);
    configuration.setAutoFragment(true);
    configuration.setInputBufferSize(INPUT_BUFFER);
    upgrade.setConfiguration(configuration);
    upgrade.addListener(this);
    handshake = client.connect(upgrade);
  }

  boolean open() {
    return session != null;
  }

  /** Whether it is over, well or badly, and nothing more will come. */
  boolean over() {
    return closed != null || (failure != null && session == null);
  }

  /** Whether a connection of the pool died under the handshake before any answer came. */
  boolean stale() {
    return session == null && refusal() == 0 && failure != null && TargetErrors.stale(failure);
  }

  /** Whether the handshake went out on a connection that had brought an answer before. */
  boolean reused() {
    return asked != null && TargetErrors.reused(asked.getConnection());
  }

  /** What went wrong, or null. */
  Throwable failure() {
    return failure;
  }

  /** The status of an answer that refused the handshake; 0 if there was none. */
  int refusal() {
    return failure instanceof UpgradeException refused
        ? Math.max(0, refused.getResponseStatusCode())
        : 0;
  }

  HttpFields answer() {
    return answer;
  }

  String protocol() {
    return session.getNegotiatedSubProtocol();
  }

  /** The frame that has come, or null. */
  Arrival arrival() {
    return arrival;
  }

  /** Gives the frame back and asks for the next. */
  void next(Arrival done) {
    arrival = null;
    done.callback.succeeded();
    if (done.frame.getOpCode() != OpCode.CLOSE) {
      session.demand();
    }
  }

  /** Whether a message is still on its way out. */
  boolean writing() {
    return writing;
  }

  /** Sends one message; a signal comes when the next may follow. */
  void send(TunnelFrame frame) {
    writing = true;
    byte opcode =
        switch (frame.opcode()) {
          case TunnelFrame.TEXT -> OpCode.TEXT;
          case TunnelFrame.PING -> OpCode.PING;
          case TunnelFrame.PONG -> OpCode.PONG;
          default -> OpCode.BINARY;
        };
    session.sendFrame(new Frame(opcode, true, frame.payload()), written(), false);
  }

  private Callback written() {
    return Callback.from(
        () -> {
          writing = false;
          gate.signal();
        },
        cause -> {
          failure = cause;
          writing = false;
          gate.signal();
        });
  }

  /** Sends a control frame beside the messages. */
  void control(byte opcode, ByteBuffer payload) {
    session.sendFrame(new Frame(opcode, true, payload), Callback.NOOP, false);
  }

  void close(int code, String reason) {
    session.close(code, reason, Callback.NOOP);
  }

  /** Ends it at once, in whatever state it is. */
  void abort() {
    Arrival left = arrival;
    if (left != null) {
      arrival = null;
      left.callback.failed(new IOException("stream has ended"));
    }
    if (handshake != null) {
      handshake.cancel(true);
    }
    if (session != null && closed == null) {
      session.abort();
    }
  }

  @Override
  public void onHandshakeRequest(Request request) {
    asked = request;
  }

  @Override
  public void onHandshakeResponse(Request request, Response response) {
    answer = response.getHeaders();
  }

  @Override
  public void onOpen(CoreSession opened, Callback callback) {
    session = opened;
    callback.succeeded();
    opened.demand();
    gate.signal();
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    arrival = new Arrival(frame, callback);
    gate.signal();
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    failure = cause;
    callback.succeeded();
    gate.signal();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    closed = status;
    callback.succeeded();
    gate.signal();
  }
}
