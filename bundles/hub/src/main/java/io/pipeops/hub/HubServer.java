package io.pipeops.hub;

import io.pipeops.hub.agents.AgentEndpoint;
import io.pipeops.hub.agents.JsonAnswer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketOption;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.ConnectionFactory;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.VirtualThreads;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The hub's one HTTP server, for agents, clients and administrators. HTTP/1.1, TLS by default. */
public final class HubServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HubServer.class);
  private static final int HEADER_LIMIT = 32 << 10;
  private static final long STOP_MS = 2_000;

  private final Server server;
  private final ServerConnector connector;
  private final boolean secure;

  /**
   * @param tls the server's certificate; empty for plain HTTP
   * @param scheduler running; its owner stops it after this server
   * @param agents where agents come in
   * @param others further handlers, asked in this order after the agents' one
   */
  public HubServer(
      HubListener listener,
      Optional<SslContextFactory.Server> tls,
      Scheduler scheduler,
      AgentEndpoint agents,
      List<Handler> others) {
    this.secure = tls.isPresent();
    this.server = new Server(threads(), scheduler, null);
    ConnectionWatch watch =
        new ConnectionWatch(scheduler, listener.headerLimit(), listener.connectionRequests());
    this.connector = new AgentConnector(server, factories(tls));
    connector.setHost(listener.host());
    connector.setPort(listener.port());
    connector.setIdleTimeout(listener.idle().toMillis());
    connector.setShutdownIdleTimeout(STOP_MS / 2);
    connector.addBean(watch);
    server.addConnector(connector);
    server.addBean(new NetworkConnectionLimit(listener.maxConnections(), server));
    server.setStopTimeout(STOP_MS);
    server.setErrorHandler(new PlainErrors());
    List<Handler> handlers = new ArrayList<>();
    handlers.add(agents);
    handlers.addAll(others);
    handlers.add(new NothingHere());
    server.setHandler(new RequestGuard(watch, new Handler.Sequence(handlers)));
    agents.prepare(server);
  }

  private static QueuedThreadPool threads() {
    QueuedThreadPool threads = new QueuedThreadPool(16, 2);
    threads.setName("hub-http");
    threads.setReservedThreads(0);
    threads.setDaemon(true);
    threads.setVirtualThreadsExecutor(VirtualThreads.getNamedVirtualThreadsExecutor("hub-http-"));
    return threads;
  }

  private static ConnectionFactory[] factories(Optional<SslContextFactory.Server> tls) {
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.setSendXPoweredBy(false);
    http.setRequestHeaderSize(HEADER_LIMIT);
    http.setResponseHeaderSize(HEADER_LIMIT);
    http.setMaxResponseHeaderSize(HEADER_LIMIT);
    // Every path is judged by our own guard, which answers in the form that clients understand.
    http.setUriCompliance(UriCompliance.UNSAFE);
    if (tls.isEmpty()) {
      return new ConnectionFactory[] {new HttpConnectionFactory(http)};
    }
    SecureRequestCustomizer customizer = new SecureRequestCustomizer();
    customizer.setSniHostCheck(false);
    http.addCustomizer(customizer);
    HttpConnectionFactory inner = new HttpConnectionFactory(http);
    return new ConnectionFactory[] {
      new SslConnectionFactory(tls.get(), inner.getProtocol()), inner
    };
  }

  /** Notices dead peers even where nothing is sent for hours, as on a watch. */
  private static final class AgentConnector extends ServerConnector {
    private static final Map<String, Integer> PROBES =
        Map.of("TCP_KEEPIDLE", 60, "TCP_KEEPINTERVAL", 15, "TCP_KEEPCOUNT", 4);

    AgentConnector(Server server, ConnectionFactory... factories) {
      super(server, null, null, null, 1, 1, factories);
    }

    @Override
    protected void configure(Socket socket) {
      super.configure(socket);
      try {
        socket.setKeepAlive(true);
        for (SocketOption<?> option : socket.supportedOptions()) {
          Integer value = PROBES.get(option.name());
          if (value != null && option.type() == Integer.class) {
            @SuppressWarnings("unchecked")
            SocketOption<Integer> probe = (SocketOption<Integer>) option;
            socket.setOption(probe, value);
          }
        }
      } catch (IOException e) {
        log.debug("Keep-alive not set: cause={}", e.toString());
      }
    }
  }

  /** Answers what nobody else answers. */
  private static final class NothingHere extends Handler.Abstract.NonBlocking {
    @Override
    public boolean handle(Request request, Response response, Callback callback) {
      JsonAnswer.send(response, callback, 404, "there is nothing here");
      return true;
    }
  }

  /**
   * Begins to listen.
   *
   * @throws IOException if it cannot; the message names the address
   */
  public void start() throws IOException {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(Server.class.getClassLoader());
    try {
      server.start();
    } catch (Exception e) {
      close();
      throw new IOException(
          "cannot listen on %s:%d: %s"
              .formatted(connector.getHost(), connector.getPort(), e.getMessage()),
          e);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** Scheme, host and port as a client on this machine can use them. */
  public URI address() {
    String host = connector.getHost();
    try {
      if (host == null || InetAddress.getByName(host).isAnyLocalAddress()) {
        host = "127.0.0.1";
      }
    } catch (IOException e) {
      log.debug("Address not known: cause={}", e.toString());
    }
    if (host.indexOf(':') >= 0) {
      host = "[" + host + "]";
    }
    return URI.create((secure ? "https://" : "http://") + host + ":" + connector.getLocalPort());
  }

  /** Stops; what runs is cut after two seconds. */
  @Override
  public void close() {
    try {
      server.stop();
    } catch (Exception e) {
      log.debug("Server stopped with an error: cause={}", e.toString());
    }
  }
}
