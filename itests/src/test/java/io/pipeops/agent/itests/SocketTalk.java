package io.pipeops.agent.itests;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The client's end of a WebSocket; what comes is put together and queued. */
final class SocketTalk implements WebSocket.Listener {
  private static final long SECONDS = 60;

  private final BlockingQueue<Object> came = new LinkedBlockingQueue<>();
  private final StringBuilder text = new StringBuilder();
  private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
  private WebSocket socket;

  static SocketTalk open(URI address) throws Exception {
    SocketTalk talk = new SocketTalk();
    talk.socket =
        HttpClient.newHttpClient()
            .newWebSocketBuilder()
            .buildAsync(address, talk)
            .get(SECONDS, TimeUnit.SECONDS);
    return talk;
  }

  void text(String message) throws Exception {
    socket.sendText(message, true).get(SECONDS, TimeUnit.SECONDS);
  }

  void binary(byte[] message) throws Exception {
    socket.sendBinary(ByteBuffer.wrap(message), true).get(SECONDS, TimeUnit.SECONDS);
  }

  void ping(byte[] payload) throws Exception {
    socket.sendPing(ByteBuffer.wrap(payload)).get(SECONDS, TimeUnit.SECONDS);
  }

  void close(int code, String reason) throws Exception {
    socket.sendClose(code, reason).get(SECONDS, TimeUnit.SECONDS);
  }

  /** The next message: a String, a byte[], or the name of what else happened. */
  Object next() throws InterruptedException {
    return came.poll(SECONDS, TimeUnit.SECONDS);
  }

  @Override
  public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
    text.append(data);
    if (last) {
      came.add(text.toString());
      text.setLength(0);
    }
    from.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
    byte[] piece = new byte[data.remaining()];
    data.get(piece);
    binary.writeBytes(piece);
    if (last) {
      came.add(binary.toByteArray());
      binary.reset();
    }
    from.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onPong(WebSocket from, ByteBuffer message) {
    came.add("pong " + message.remaining());
    from.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
    came.add("close " + code + " " + reason);
    return null;
  }

  @Override
  public void onError(WebSocket from, Throwable error) {
    came.add("error " + error);
  }
}
