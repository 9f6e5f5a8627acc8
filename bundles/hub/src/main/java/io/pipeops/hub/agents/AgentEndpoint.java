package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.LinkResume;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Fields;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeRequest;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeResponse;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.eclipse.jetty.websocket.core.server.WebSocketServerComponents;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where agents' WebSockets come in (protocol 1.3, 1.4): as to a controller, and as to a gateway for
 * a cluster that is registered. The bearer token is checked before the upgrade.
 */
public final class AgentEndpoint extends Handler.Abstract.NonBlocking {
  /** Path of the controller's endpoint. */
  public static final String CONTROLLER = "/api/v1/clusters/agent/ws";

  /** Path of the gateway's endpoint. */
  public static final String GATEWAY = "/ws";

  /** Value of the setting that sends agents to this hub's own gateway endpoint. */
  public static final String SELF = "self";

  /** How long a socket may take to prove that it may have the session it asks for. */
  private static final int PROOF_SECONDS = 10;

  private static final Logger log = LoggerFactory.getLogger(AgentEndpoint.class);
  private static final int INPUT_BUFFER = 32 << 10;

  private final ClusterDirectory directory;
  private final AgentSessions sessions;
  private final String gatewayUrl;
  private final AtomicLong lastNoted =
      new AtomicLong(System.nanoTime() - TimeUnit.HOURS.toNanos(1));
  private volatile WebSocketMappings mappings;

  /**
   * @param gatewayUrl where agents are sent after registration: empty, {@link #SELF}, or a URL
   */
  public AgentEndpoint(ClusterDirectory directory, AgentSessions sessions, String gatewayUrl) {
    this.directory = directory;
    this.sessions = sessions;
    this.gatewayUrl = gatewayUrl;
  }

  /** Has to be called before the server starts. */
  public void prepare(Server server) {
    mappings = new WebSocketMappings(WebSocketServerComponents.ensureWebSocketComponents(server));
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = request.getHttpURI().getPath();
    boolean gateway = GATEWAY.equals(path);
    if (!gateway && !CONTROLLER.equals(path)) {
      return false;
    }
    // The token and the cluster are looked up in the store, and a silent rival takes two seconds.
    Thread.ofVirtual()
        .name("hub-agent-upgrade")
        .start(
            () -> {
              try {
                accept(request, response, callback, gateway);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                callback.failed(e);
              } catch (RuntimeException e) {
                log.warn("Agent not accepted, it will try again: cause={}", e.toString());
                JsonAnswer.send(response, callback, 503, "the hub's store is not available");
              }
            });
    return true;
  }

  private void accept(Request request, Response response, Callback callback, boolean gateway)
      throws InterruptedException {
    Optional<String> bearer = Bearer.of(request);
    Optional<AgentCredential> who = bearer.flatMap(directory::authenticateAgent);
    if (who.isEmpty()) {
      refuse(
          request,
          response,
          callback,
          401,
          bearer.isEmpty()
              ? "an agent token is required: Authorization: Bearer <token>"
              : "the agent token is not valid");
      return;
    }
    if (!"websocket".equalsIgnoreCase(request.getHeaders().get(HttpHeader.UPGRADE))) {
      response.getHeaders().put(HttpHeader.UPGRADE, "websocket");
      JsonAnswer.send(response, callback, 426, "this is a WebSocket endpoint");
      return;
    }
    String session = request.getHeaders().get(LinkResume.HEADER);
    if (session != null) {
      resume(request, response, callback, who.get(), session);
      return;
    }
    AgentConnection connection =
        new AgentConnection(
            sessions, who.get(), gateway, gateway ? "" : gatewayUrl(request), remote(request));
    connection.led(
        LeaderTerm.of(
            request.getHeaders().get(HandedOver.LEASE_HEADER),
            request.getHeaders().get(HandedOver.TERM_HEADER)));
    if (gateway && !claimed(request, response, callback, who.get(), connection)) {
      connection.drop("the agent was refused");
      return;
    }
    if (!upgrade(request, response, callback, connection.socket())) {
      connection.drop("the WebSocket handshake failed");
    }
  }

  /** Another socket for a session; its first message has to prove that it may have it. */
  private void resume(
      Request request, Response response, Callback callback, AgentCredential who, String session) {
    Optional<AgentConnection> connection = sessions.resumable(session, who);
    if (connection.isEmpty()) {
      sessions.metrics().resumesRefused.increment();
      JsonAnswer.send(response, callback, 410, "session not found");
      return;
    }
    AgentSocket socket =
        new AgentSocket(connection.get(), true, sessions.limits().maxMessage(), remote(request));
    if (upgrade(request, response, callback, socket)) {
      sessions.scheduler().schedule(socket::expire, PROOF_SECONDS, TimeUnit.SECONDS);
    }
  }

  private boolean claimed(
      Request request,
      Response response,
      Callback callback,
      AgentCredential who,
      AgentConnection connection)
      throws InterruptedException {
    String uuid = clusterUuid(request);
    if (uuid.isEmpty()) {
      JsonAnswer.send(response, callback, 400, "the query parameter cluster_uuid is required");
      return false;
    }
    Optional<RegisteredCluster> cluster =
        directory.find(uuid).filter(known -> RegistrationDesk.owns(who, known));
    if (cluster.isEmpty()) {
      // 403 makes the agent register anew (protocol 1.12), which is what it needs.
      refuse(request, response, callback, 403, "cluster not found for this agent token");
      return false;
    }
    if (sessions.claim(connection, cluster.get(), "", connection.term()).isEmpty()) {
      refuse(request, response, callback, 409, RegistrationDesk.alreadyConnected(cluster.get()));
      return false;
    }
    log.info("Agent connected: {}", connection.describe());
    connection.streams().offer();
    return true;
  }

  private static String clusterUuid(Request request) {
    try {
      Fields query = Request.extractQueryParameters(request);
      String uuid = query.getValue("cluster_uuid");
      return uuid == null || uuid.length() > 253 ? "" : uuid;
    } catch (RuntimeException e) {
      return "";
    }
  }

  /** Whether the socket will be opened; if not, the answer was given. */
  private boolean upgrade(
      Request request, Response response, Callback callback, AgentSocket socket) {
    try {
      boolean upgraded =
          mappings.upgrade(
              new Negotiator(socket), request, response, callback, AgentEndpoint::configure);
      if (!upgraded) {
        JsonAnswer.send(response, callback, 400, "not a valid WebSocket handshake");
      }
      return upgraded;
    } catch (RuntimeException e) {
      log.debug("WebSocket handshake failed: cause={}", e.toString());
      JsonAnswer.send(response, callback, 400, "not a valid WebSocket handshake");
      return false;
    }
  }

  private static void configure(Configuration configuration) {
    configuration.setIdleTimeout(java.time.Duration.ZERO);
    configuration.setAutoFragment(true);
    configuration.setMaxFrameSize(INPUT_BUFFER);
    configuration.setInputBufferSize(INPUT_BUFFER);
    configuration.setOutputBufferSize(4 << 10);
  }

  private record Negotiator(AgentSocket socket) implements WebSocketNegotiator {
    @Override
    public FrameHandler negotiate(
        ServerUpgradeRequest request, ServerUpgradeResponse response, Callback callback) {
      // Compression must be off (protocol 1.4), whatever was offered.
      response.setExtensions(List.of());
      return socket;
    }
  }

  private String gatewayUrl(Request request) {
    if (!gatewayUrl.equals(SELF)) {
      return gatewayUrl;
    }
    return (request.isSecure() ? "wss://" : "ws://")
        + request.getHttpURI().getAuthority()
        + GATEWAY;
  }

  private static String remote(Request request) {
    return Request.getRemoteAddr(request) + ":" + Request.getRemotePort(request);
  }

  private void refuse(
      Request request, Response response, Callback callback, int status, String text) {
    sessions.metrics().refused.increment();
    long last = lastNoted.get();
    long now = System.nanoTime();
    // At most one line in ten seconds: anyone can make the hub refuse.
    if (now - last > TimeUnit.SECONDS.toNanos(10) && lastNoted.compareAndSet(last, now)) {
      log.warn("Agent refused: status={} reason={} remote={}", status, text, remote(request));
    }
    if (status == 401) {
      response.getHeaders().put(HttpHeader.WWW_AUTHENTICATE, "Bearer");
    }
    JsonAnswer.send(response, callback, status, text);
  }
}
