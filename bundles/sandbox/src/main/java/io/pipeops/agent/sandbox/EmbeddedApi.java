package io.pipeops.agent.sandbox;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.time.InstantSource;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The API with its store, its controllers and its server, without any of OSGi. */
final class EmbeddedApi implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(EmbeddedApi.class);

  /** Watches may be silent for long; what ends them is their own limit. */
  private static final long IDLE_MILLIS = 3_600_000;

  private final ObjectStore store = new ObjectStore();
  private final Tokens tokens;
  private final ApiHandler handler;
  private final ControlLoop loop;
  private final Server server;
  private final ServerConnector connector;
  private final TlsIdentity tls;

  private EmbeddedApi(int port, boolean demo, InstantSource clock) throws IOException {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    this.tokens = new Tokens(clock);
    this.tls = TlsIdentity.generate(loopback);
    Resources resources = new Resources(store, new ResourceCatalog(), clock);
    this.handler = new ApiHandler(resources, tokens);
    this.loop = new ControlLoop(resources, tls.pem());
    QueuedThreadPool threads = new QueuedThreadPool(16, 1);
    threads.setName("sandbox-http");
    threads.setReservedThreads(0);
    threads.setDaemon(true);
    this.server = new Server(threads);
    SslContextFactory.Server ssl = new SslContextFactory.Server();
    ssl.setSslContext(tls.context());
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.addCustomizer(new SecureRequestCustomizer(false));
    this.connector =
        new ServerConnector(
            server,
            1,
            1,
            new SslConnectionFactory(ssl, "http/1.1"),
            new HttpConnectionFactory(http));
    connector.setHost(loopback.getHostAddress());
    connector.setPort(port);
    connector.setIdleTimeout(IDLE_MILLIS);
    server.addConnector(connector);
    server.setHandler(handler);
    ClusterContent.basics(resources);
    if (demo) {
      ClusterContent.demo(resources);
    }
  }

  /** Starts it on the loopback address. */
  static EmbeddedApi start(int port, boolean demo, InstantSource clock) throws IOException {
    EmbeddedApi api = new EmbeddedApi(port, demo, clock);
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(Server.class.getClassLoader());
    try {
      api.server.start();
    } catch (Exception e) {
      api.close();
      throw new IOException("the embedded API cannot listen on port " + port, e);
    } finally {
      thread.setContextClassLoader(before);
    }
    api.loop.start();
    return api;
  }

  URI address() {
    return URI.create("https://%s:%d".formatted(connector.getHost(), connector.getLocalPort()));
  }

  String caPem() {
    return tls.pem();
  }

  String token() {
    return tokens.administrator();
  }

  ObjectStore store() {
    return store;
  }

  int watches() {
    return handler.watches();
  }

  boolean running() {
    return server.isRunning() && loop.alive();
  }

  /** Ends watches, controllers and connections, within two seconds. */
  @Override
  public void close() {
    store.close();
    loop.close();
    server.setStopTimeout(1000);
    try {
      server.stop();
    } catch (TimeoutException e) {
      log.debug("Requests were cut at the stop");
    } catch (Exception e) {
      log.warn("The embedded API's server did not stop cleanly: {}", e.toString());
    }
  }
}
