package io.pipeops.agent.itests;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/**
 * An application with a WebSocket at {@code /echo}, on Jetty. It sends back what it gets, pings and
 * closes when it is told to, and never ends a connection because it is silent.
 */
public final class SocketApp implements AutoCloseable {
  /** What it saw of its clients besides messages: pings, pongs and the code of each close. */
  final BlockingQueue<String> seen = new LinkedBlockingQueue<>();

  private final Server server = new Server();
  private final ServerConnector connector = new ServerConnector(server);

  SocketApp(InetAddress address) throws Exception {
    connector.setHost(address.getHostAddress());
    server.addConnector(connector);
    server.setHandler(
        WebSocketUpgradeHandler.from(
            server,
            container -> {
              container.setIdleTimeout(Duration.ZERO);
              container.setMaxTextMessageSize(4 << 20);
              container.setMaxBinaryMessageSize(4 << 20);
              container.addMapping("/echo", (request, response, callback) -> new Echo());
            }));
    server.start();
  }

  int port() {
    return connector.getLocalPort();
  }

  @Override
  public void close() throws Exception {
    server.stop();
  }

  /** One connection. Public because Jetty looks for its methods. */
  public final class Echo implements Session.Listener.AutoDemanding {
    private Session session;

    @Override
    public void onWebSocketOpen(Session opened) {
      session = opened;
    }

    @Override
    public void onWebSocketText(String text) {
      if (text.equals("ping me")) {
        session.sendPing(ByteBuffer.wrap(new byte[] {7}), Callback.NOOP);
      } else if (text.startsWith("close ")) {
        session.close(Integer.parseInt(text.substring(6)), "as told", Callback.NOOP);
      } else {
        session.sendText(text, Callback.NOOP);
      }
    }

    @Override
    public void onWebSocketBinary(ByteBuffer payload, Callback callback) {
      session.sendBinary(payload, callback);
    }

    @Override
    public void onWebSocketPing(ByteBuffer payload) {
      seen.add("ping " + payload.remaining());
      session.sendPong(payload, Callback.NOOP);
    }

    @Override
    public void onWebSocketPong(ByteBuffer payload) {
      seen.add("pong " + payload.remaining());
    }

    @Override
    public void onWebSocketClose(int code, String reason) {
      seen.add("close " + code + " " + reason);
    }
  }
}
