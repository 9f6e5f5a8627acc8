package io.pipeops.agent.link;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.link.LinkSettings.Peer;
import io.pipeops.agent.link.ProxyRule.Proxy;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.ProtocolException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.client.BasicAuthentication;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.HttpProxy;
import org.eclipse.jetty.client.HttpResponseException;
import org.eclipse.jetty.client.Origin;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.websocket.core.Configuration.ConfigurationCustomizer;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.client.CoreClientUpgradeRequest;
import org.eclipse.jetty.websocket.core.client.WebSocketCoreClient;
import org.eclipse.jetty.websocket.core.exception.UpgradeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Dials with Jetty's WebSocket client (protocol 1.4): no extensions, TLS from 1.2, one selector.
 */
final class JettyDialer implements Dialer {
  private static final Logger log = LoggerFactory.getLogger(JettyDialer.class);

  /** What is read of the body of a refusal. */
  private static final int REASON_BYTES = 1024;

  private static final int INPUT_BUFFER = 32 << 10;

  /**
   * Jetty asks the JVM's management server for this number, which starts all of JMX: a tenth of a
   * second and hundreds of classes. 64 bytes of a cache line hold 16 compressed references.
   */
  private static final String CACHE_LINE = "org.eclipse.jetty.util.referencesPerCacheLine";

  private final Peer settings;
  private final Duration handshake;
  private WebSocketCoreClient client;
  private ClientTls tls;
  private String tlsFiles = "";
  private Optional<Proxy> proxy = Optional.empty();
  private HttpProxy installed;
  private boolean closed;

  JettyDialer(Peer settings, Duration handshake) {
    this.settings = settings;
    this.handshake = handshake;
  }

  @Override
  public void prepare() {
    try {
      client();
    } catch (IOException e) {
      log.debug("Not prepared: {}", e.getMessage());
    }
  }

  @Override
  public void dial(URI peer, LinkSocket socket, Map<String, String> more)
      throws IOException, InterruptedException {
    String token = token();
    WebSocketCoreClient started = client();
    route(started.getHttpClient(), peer);
    boolean offeredAll = tls().offersAll();
    try {
      dial(started, peer, socket, more, token);
    } catch (RefusedException e) {
      throw e;
    } catch (IOException e) {
      if (offeredAll || !tls().offersAll()) {
        throw e;
      }
      log.debug("Trying again with all groups of key agreement after: {}", e.getMessage());
      dial(started, peer, socket, more, token);
    }
  }

  private synchronized ClientTls tls() {
    return tls;
  }

  private void dial(
      WebSocketCoreClient started,
      URI peer,
      LinkSocket socket,
      Map<String, String> more,
      String token)
      throws IOException, InterruptedException {
    Upgrade upgrade = new Upgrade(started, peer, socket);
    upgrade.headers(
        headers -> {
          headers.put(HttpHeader.AUTHORIZATION, "Bearer " + token);
          headers.put(HttpHeader.USER_AGENT, "pipeops-agent/" + settings.version());
          more.forEach(headers::put);
        });
    upgrade.timeout(handshake.toMillis(), TimeUnit.MILLISECONDS);
    ConfigurationCustomizer custom = new ConfigurationCustomizer();
    custom.setIdleTimeout(Duration.ZERO);
    // Frames are handed on as they come in and put together by us, so that nothing is allocated
    // for an announced length.
    custom.setAutoFragment(true);
    custom.setMaxFrameSize(0);
    custom.setMaxTextMessageSize(0);
    custom.setMaxBinaryMessageSize(0);
    custom.setInputBufferSize(INPUT_BUFFER);
    upgrade.setConfiguration(custom);
    CompletableFuture<CoreSession> opening = started.connect(upgrade);
    try {
      opening.get(handshake.toMillis() + 1000, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      opening.cancel(true);
      throw new IOException("no answer within " + handshake.toMillis() + " ms", e);
    } catch (InterruptedException e) {
      opening.cancel(true);
      throw e;
    } catch (ExecutionException e) {
      throw refusal(e.getCause(), upgrade, token);
    }
  }

  private IOException refusal(Throwable failure, Upgrade upgrade, String token) {
    if (failure instanceof UpgradeException refused && refused.getResponseStatusCode() == 101) {
      return new IOException("the answer is not a valid WebSocket upgrade", failure);
    }
    if (failure instanceof UpgradeException refused && refused.getResponseStatusCode() > 0) {
      int status = refused.getResponseStatusCode();
      String reason = PeerText.line(upgrade.reason(), token);
      return new RefusedException(
          status, "refused with HTTP " + status + (reason.isEmpty() ? "" : ": " + reason));
    }
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof HttpResponseException response) {
        return new IOException(
            "the proxy "
                + proxy.map(Proxy::toString).orElse("")
                + " refused with HTTP "
                + response.getResponse().getStatus(),
            failure);
      }
      if (t instanceof TimeoutException) {
        return new IOException("no answer within " + handshake.toMillis() + " ms", failure);
      }
    }
    String text = PeerText.line(Failures.describe(failure), token);
    return new IOException(
        proxy.map(p -> "through the proxy " + p + ": ").orElse("") + text, failure);
  }

  private String token() throws ConfigurationException {
    String token = settings.token();
    if (!settings.tokenFile().isEmpty()) {
      try {
        Path file = Path.of(settings.tokenFile());
        if (Files.size(file) > 64 << 10) {
          throw new ConfigurationException("link.token_file is too large for a token");
        }
        token = Files.readString(file).trim();
      } catch (ConfigurationException e) {
        throw e;
      } catch (IOException | RuntimeException e) {
        throw new ConfigurationException(
            "link.token_file cannot be read: "
                + settings.tokenFile()
                + " ("
                + e.getClass().getSimpleName()
                + ")",
            e);
      }
    }
    if (token.isEmpty()) {
      throw new ConfigurationException("the token is empty");
    }
    if (token.chars().anyMatch(c -> c <= ' ' || c >= 0x7f)) {
      throw new ConfigurationException("the token holds characters that no header may carry");
    }
    return token;
  }

  private synchronized WebSocketCoreClient client() throws IOException {
    if (closed) {
      throw new IOException("the link is shut down");
    }
    String files = Tls.fingerprint(settings.tls());
    if (client == null) {
      client = start();
      tlsFiles = files;
    } else if (!files.equals(tlsFiles)) {
      var context = Tls.context(settings.tls());
      try {
        tls.reload(factory -> factory.setSslContext(context));
      } catch (Exception e) {
        throw new ConfigurationException("TLS cannot be set up again", e);
      }
      tlsFiles = files;
      log.info("Took up changed TLS files");
    }
    return client;
  }

  private WebSocketCoreClient start() throws IOException {
    if (System.getProperty(CACHE_LINE) == null) {
      System.setProperty(CACHE_LINE, "16");
    }
    tls = new ClientTls();
    tls.setSslContext(Tls.context(settings.tls()));
    tls.setEndpointIdentificationAlgorithm(settings.tls().skipVerify() ? null : "HTTPS");
    QueuedThreadPool threads = new QueuedThreadPool(16, 1);
    threads.setReservedThreads(0);
    threads.setName("link");
    threads.setDaemon(true);
    threads.setStopTimeout(500);
    ArrayByteBufferPool buffers = new ArrayByteBufferPool(0, 4096, 128 << 10, 64, 1 << 20, 1 << 20);
    ClientConnector connector = new ClientConnector();
    connector.setSelectors(1);
    connector.setExecutor(threads);
    connector.setByteBufferPool(buffers);
    connector.setSslContextFactory(tls);
    connector.setConnectTimeout(handshake);
    HttpClient http = new HttpClient(new HttpClientTransportOverHTTP(connector));
    // As a listener to handshakes; it belongs to the connector.
    http.addBean(tls, false);
    http.setExecutor(threads);
    http.setByteBufferPool(buffers);
    http.setFollowRedirects(false);
    http.setUserAgentField(new HttpField(HttpHeader.USER_AGENT, "pipeops-agent"));
    http.setAddressResolutionTimeout(handshake.toMillis());
    http.setConnectTimeout(handshake.toMillis());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(WebSocketCoreClient.class.getClassLoader());
    WebSocketCoreClient made =
        new WebSocketCoreClient(
            http, new WebSocketComponents(null, null, buffers, null, null, threads));
    try {
      made.start();
      return made;
    } catch (Exception e) {
      stop(made);
      throw new IOException("the WebSocket client does not start: " + e.getMessage(), e);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private synchronized void route(HttpClient http, URI peer) throws ConfigurationException {
    Optional<Proxy> wanted = new ProxyRule(settings.proxy(), settings.noProxy()).forTarget(peer);
    if (wanted.equals(proxy)) {
      return;
    }
    if (installed != null) {
      http.getProxyConfiguration().removeProxy(installed);
    }
    installed = null;
    http.getAuthenticationStore().clearAuthenticationResults();
    proxy = wanted;
    if (wanted.isPresent()) {
      Proxy to = wanted.get();
      HttpProxy tunnel = new TunnelingProxy(new Origin.Address(to.host(), to.port()), to, tls);
      http.getProxyConfiguration().addProxy(tunnel);
      installed = tunnel;
      if (!to.user().isEmpty()) {
        http.getAuthenticationStore()
            .addAuthenticationResult(
                new BasicAuthentication.BasicResult(
                    tunnel.getURI(), HttpHeader.PROXY_AUTHORIZATION, to.user(), to.password()));
      }
      log.info("Connecting through proxy={}", to);
    }
  }

  @Override
  public void close() {
    WebSocketCoreClient last;
    synchronized (this) {
      closed = true;
      last = client;
      client = null;
    }
    if (last != null) {
      stop(last);
    }
  }

  private static void stop(WebSocketCoreClient client) {
    try {
      client.stop();
    } catch (Exception e) {
      log.debug("Stopping the client failed", e);
    }
  }

  /** A proxy that is always asked for a tunnel, also for a peer without TLS (RFC 6455, 4.1). */
  private static final class TunnelingProxy extends HttpProxy {
    TunnelingProxy(Origin.Address address, Proxy proxy, SslContextFactory.Client tls) {
      super(address, proxy.tls() ? tls : null);
    }

    @Override
    public boolean requiresTunnel(Origin server) {
      return true;
    }
  }

  /** The upgrade; it also listens to the body of a refusal, which tells why. */
  private static final class Upgrade extends CoreClientUpgradeRequest
      implements Response.ContentListener {
    private final LinkSocket socket;
    private final StringBuilder body = new StringBuilder();

    Upgrade(WebSocketCoreClient client, URI peer, LinkSocket socket) {
      super(client, peer);
      this.socket = socket;
    }

    @Override
    public FrameHandler getFrameHandler() {
      return socket;
    }

    @Override
    public void onContent(Response response, ByteBuffer content) {
      synchronized (body) {
        int room = Math.min(content.remaining(), REASON_BYTES - body.length());
        if (room > 0) {
          body.append(StandardCharsets.UTF_8.decode(content.slice(content.position(), room)));
        }
      }
    }

    String reason() {
      String text;
      synchronized (body) {
        text = body.toString().strip();
      }
      if (text.startsWith("{")) {
        try {
          String error = ErrorMessage.parse(JsonText.of(text)).error();
          return error.isEmpty() ? text : error;
        } catch (ProtocolException e) {
          return text;
        }
      }
      return text.startsWith("<") ? "" : text;
    }
  }
}
