package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.eclipse.jetty.client.ContinueProtocolHandler;
import org.eclipse.jetty.client.EarlyHintsProtocolHandler;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.ProxyAuthenticationProtocolHandler;
import org.eclipse.jetty.client.RedirectProtocolHandler;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.WWWAuthenticationProtocolHandler;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.http.HttpCookieStore;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.util.SocketAddressResolver;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.client.WebSocketCoreClient;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP/1.1 clients towards the API server and the services: made when first needed, each with
 * one selector, all with the same few threads. When the API server's service is replaced, its old
 * clients go with their last stream.
 */
final class TargetClients implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TargetClients.class);
  private static final int BUFFER = 32 << 10;
  private static final int MAX_HEADERS = 256 << 10;
  private static final int MAX_THREADS = 16;

  /** Look-ups block their thread; so they have their own, apart from the client's. */
  private static final int MAX_LOOKUPS = 8;

  /** Below what servers commonly grant an idle connection. */
  private static final long POOL_IDLE_MILLIS = 60_000;

  private static final long FORGET_SERVICE_MILLIS = 120_000;
  private static final long POOLED_BYTES = 2 << 20;

  private final SocketAddressResolver serviceResolver;
  private final List<Lease> open = new ArrayList<>();
  private QueuedThreadPool threads;
  private ScheduledExecutorScheduler scheduler;
  private ThreadPoolExecutor lookups;
  private LentBuffers buffers;
  private boolean closed;

  /**
   * No client yet.
   *
   * @param serviceResolver finds a service's addresses; null for DNS
   */
  TargetClients(SocketAddressResolver serviceResolver) {
    this.serviceResolver = serviceResolver;
  }

  /** A client in use by some streams; each closes it once. */
  final class Lease {
    private final ApiServer server;
    private final boolean identified;
    private final HttpClient client;
    private WebSocketCoreClient sockets;
    private int users;
    private boolean retired;

    private Lease(ApiServer server, boolean identified, HttpClient client) {
      this.server = server;
      this.identified = identified;
      this.client = client;
    }

    HttpClient client() {
      return client;
    }

    /** The WebSocket side of the client, made when it is first needed. */
    WebSocketCoreClient sockets() throws Failure {
      synchronized (TargetClients.this) {
        if (sockets == null) {
          WebSocketCoreClient made =
              new WebSocketCoreClient(
                  client, new WebSocketComponents(null, null, buffers, null, null, threads));
          starting(made);
          sockets = made;
        }
        return sockets;
      }
    }

    private void end() {
      if (sockets != null) {
        stop(sockets);
      }
      stop(client);
    }

    /** Ends one use. */
    void release() {
      boolean last;
      synchronized (TargetClients.this) {
        users--;
        last = retired && users == 0;
      }
      if (last) {
        end();
      }
    }
  }

  /**
   * Takes the client for a target.
   *
   * @param server the API server if it is the target; null for services
   * @param identified whether with the agent's client certificate
   */
  synchronized Lease take(ApiServer server, boolean identified, Settings settings) throws Failure {
    if (closed) {
      throw Failure.stopped();
    }
    Lease found = null;
    List<Lease> idle = new ArrayList<>();
    for (Lease lease : open) {
      if (lease.server == server && lease.identified == identified) {
        found = lease;
      } else if (server != null && lease.server != null && lease.server != server) {
        lease.retired = true;
        idle.add(lease);
      }
    }
    open.removeAll(idle);
    for (Lease lease : idle) {
      if (lease.users == 0) {
        lease.end();
      }
    }
    if (found == null) {
      found = new Lease(server, identified, start(server, identified, settings));
      open.add(found);
    }
    found.users++;
    return found;
  }

  private HttpClient start(ApiServer server, boolean identified, Settings settings) throws Failure {
    startShared();
    SslContextFactory.Client tls =
        server == null ? trustAll() : tls(identified ? server.identified() : server.anonymous());
    HttpClient client = client(tls, settings);
    if (server == null) {
      client.setSocketAddressResolver(serviceResolver == null ? dns(settings) : serviceResolver);
      client.setDestinationIdleTimeout(FORGET_SERVICE_MILLIS);
    } else {
      client.setSocketAddressResolver(
          new SocketAddressResolver.Async(lookups, scheduler, settings.answer().toMillis()));
    }
    starting(client);
    // Answers pass as they are: no redirects, no log-in, no decoding.
    client.getProtocolHandlers().remove(RedirectProtocolHandler.NAME);
    client.getProtocolHandlers().remove(WWWAuthenticationProtocolHandler.NAME);
    client.getProtocolHandlers().remove(ProxyAuthenticationProtocolHandler.NAME);
    client.getContentDecoderFactories().clear();
    client.getProtocolHandlers().remove(ContinueProtocolHandler.NAME);
    client.getProtocolHandlers().put(new InterimAnswers());
    return client;
  }

  /**
   * Starts a part with the library's class loader as the thread's, which it looks services up in.
   */
  private static void starting(LifeCycle part) throws Failure {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(part.getClass().getClassLoader());
    try {
      part.start();
    } catch (Exception e) {
      LOG.warn("HTTP client does not start, next request tries again: {}", e.toString());
      stop(part);
      throw new Failure(Failure.Reason.INTERNAL, "HTTP client does not start");
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private HttpClient client(SslContextFactory.Client tls, Settings settings) {
    ClientConnector connector = new ClientConnector();
    connector.setSelectors(1);
    connector.setExecutor(threads);
    connector.setScheduler(scheduler);
    connector.setByteBufferPool(buffers);
    connector.setSslContextFactory(tls);
    HttpClient client = new HttpClient(new HttpClientTransportOverHTTP(connector));
    client.setName("tunnel");
    client.setConnectTimeout(settings.answer().toMillis());
    client.setAddressResolutionTimeout(settings.answer().toMillis());
    client.setIdleTimeout(POOL_IDLE_MILLIS);
    client.setMaxConnectionsPerDestination(settings.maxStreams());
    client.setMaxRequestsQueuedPerDestination(settings.maxStreams() + settings.maxWaiting());
    client.setResponseBufferSize(BUFFER);
    client.setMaxRequestHeadersSize(MAX_HEADERS);
    client.setMaxResponseHeadersSize(MAX_HEADERS);
    client.setFollowRedirects(false);
    client.setHttpCookieStore(new HttpCookieStore.Empty());
    client.setUserAgentField(null);
    client.setDefaultRequestContentType(null);
    return client;
  }

  /** The absolute name: a relative one would first be tried in each search domain of the pod. */
  private SocketAddressResolver dns(Settings settings) {
    SocketAddressResolver async =
        new SocketAddressResolver.Async(lookups, scheduler, settings.answer().toMillis());
    return (host, port, context, promise) -> async.resolve(host + ".", port, context, promise);
  }

  private static SslContextFactory.Client trustAll() {
    SslContextFactory.Client tls =
        new SslContextFactory.Client(true) {
          @Override
          protected void checkConfiguration() {
            // It would warn of what is meant here: services have certificates of their own making.
          }
        };
    tls.setEndpointIdentificationAlgorithm(null);
    return tls;
  }

  private static SslContextFactory.Client tls(SSLContext context) {
    SslContextFactory.Client tls = new SslContextFactory.Client();
    tls.setSslContext(context);
    return tls;
  }

  /** Skips 1xx answers of any kind and number; the client's own handler of 100 knows only one. */
  private static final class InterimAnswers extends EarlyHintsProtocolHandler {
    @Override
    public boolean accept(Request request, Response response) {
      return HttpStatus.isInterim(response.getStatus());
    }
  }

  private void startShared() throws Failure {
    if (threads != null) {
      return;
    }
    QueuedThreadPool pool = new QueuedThreadPool(MAX_THREADS, 1);
    pool.setReservedThreads(0);
    pool.setIdleTimeout(10_000);
    pool.setName("tunnel");
    pool.setDaemon(true);
    starting(pool);
    threads = pool;
    scheduler = new ScheduledExecutorScheduler("tunnel-timer", true);
    starting(scheduler);
    buffers =
        new LentBuffers(new ArrayByteBufferPool(0, 2048, 64 << 10, 64, POOLED_BYTES, POOLED_BYTES));
    lookups =
        new ThreadPoolExecutor(
            MAX_LOOKUPS,
            MAX_LOOKUPS,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Thread.ofPlatform().daemon().name("tunnel-dns-", 0).factory());
    lookups.allowCoreThreadTimeOut(true);
  }

  /** The threads that carry the clients; for tests. */
  Executor threads() {
    return threads;
  }

  /** Ends all clients and threads; streams that still run fail. */
  @Override
  public void close() {
    List<Lease> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(open);
      open.clear();
    }
    all.forEach(Lease::end);
    synchronized (this) {
      if (threads != null) {
        lookups.shutdownNow();
        stop(threads);
        stop(scheduler);
        buffers.clear();
      }
    }
  }

  private static void stop(LifeCycle part) {
    try {
      part.stop();
    } catch (Exception e) {
      LOG.debug("Stop of {}: {}", part, e.toString());
    }
  }
}
