package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.hub.agents.AgentErrorException;
import io.pipeops.hub.agents.AgentGoneException;
import io.pipeops.hub.agents.AgentRequest;
import io.pipeops.hub.agents.AgentResponse;
import io.pipeops.hub.agents.AgentSession;
import io.pipeops.hub.agents.AgentStream;
import io.pipeops.hub.agents.TooManyRequestsException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeRequest;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeResponse;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket of a client to a cluster's API: exec, attach, port-forward, cp, or a watch. The
 * cluster is asked first, so that the client's handshake is answered with the subprotocol that the
 * API server chose, or with the status by which it refused. Blocks until the socket is over.
 */
final class SocketExchange {
  private static final Logger log = LoggerFactory.getLogger(SocketExchange.class);

  /** Asks the agent not to translate the channels of exec and attach; it does not pass this on. */
  private static final String RAW = "X-Tunnel-Channels";

  private static final int SWITCHING = 101;
  private static final int INPUT_BUFFER = 16 << 10;
  private static final int LONGEST_REFUSAL = 64 << 10;

  private final Request request;
  private final Response response;
  private final Callback callback;
  private final WebSocketMappings mappings;
  private final Duration patience;
  private final List<String> protocols;

  SocketExchange(
      Request request,
      Response response,
      Callback callback,
      WebSocketMappings mappings,
      Duration patience) {
    this.request = request;
    this.response = response;
    this.callback = callback;
    this.mappings = mappings;
    this.patience = patience;
    this.protocols = Upgrade.protocols(request);
  }

  /**
   * Carries the socket to its end.
   *
   * @param headers what of the client's headers may reach the cluster
   * @return why there was none and the client is not answered yet; null if all is done
   */
  KubeStatus run(AgentSession session, KubePath path, Headers headers) throws InterruptedException {
    String query = request.getHttpURI().getQuery();
    AgentRequest asked =
        new AgentRequest(
            "GET",
            path.path(),
            query == null ? "" : query,
            headers.with(RAW, "raw"),
            BufferUtil.EMPTY_BUFFER,
            false);
    request.addIdleTimeoutListener(timeout -> false);
    try (AgentStream stream = session.openSocket(asked, protocols)) {
      AgentResponse head = stream.head(patience);
      if (head.status() != SWITCHING) {
        return refused(stream, head);
      }
      String protocol = head.headers().first("Sec-WebSocket-Protocol", "");
      if (!protocols.isEmpty() && !protocols.contains(protocol)) {
        return KubeStatus.of(
            502, "BadGateway", "the cluster chose none of the subprotocols that were offered");
      }
      return accept(stream, protocols.isEmpty() ? "" : protocol);
    } catch (TooManyRequestsException e) {
      return new KubeStatus(429, "TooManyRequests", e.getMessage(), 1);
    } catch (AgentErrorException e) {
      return KubeStatus.of(502, "BadGateway", "the cluster's agent: " + e.getMessage());
    } catch (AgentGoneException e) {
      return KubeStatus.of(502, "BadGateway", e.getMessage());
    } catch (TimeoutException e) {
      return KubeStatus.of(504, "Timeout", "the cluster's agent: " + e.getMessage());
    } catch (IOException e) {
      return KubeStatus.of(502, "BadGateway", "the cluster's answer broke off");
    }
  }

  /** The API server's own words if they came, else what is known. */
  private KubeStatus refused(AgentStream stream, AgentResponse head)
      throws IOException, InterruptedException {
    if (head.status() < 400) {
      return KubeStatus.of(
          502, "BadGateway", "the cluster answered " + head.status() + " instead of a WebSocket");
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    String message = "the API server refused the WebSocket";
    try {
      for (ByteBuffer piece = stream.take(); piece != null; piece = stream.take()) {
        if (body.size() + piece.remaining() > LONGEST_REFUSAL) {
          body.reset();
          break;
        }
        body.write(BufferUtil.toArray(piece));
      }
    } catch (AgentErrorException e) {
      message = "the cluster's agent: " + e.getMessage();
      body.reset();
    }
    if (body.size() == 0) {
      return KubeStatus.of(head.status(), reason(head.status()), message);
    }
    response.setStatus(head.status());
    HeaderFilter.toClient(head.headers(), response.getHeaders());
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.size());
    Content.Sink.write(response, true, ByteBuffer.wrap(body.toByteArray()));
    callback.succeeded();
    return null;
  }

  private static String reason(int status) {
    return switch (status) {
      case 400 -> "BadRequest";
      case 401 -> "Unauthorized";
      case 403 -> "Forbidden";
      case 404 -> "NotFound";
      case 405 -> "MethodNotAllowed";
      case 409 -> "Conflict";
      case 429 -> "TooManyRequests";
      case 500 -> "InternalError";
      case 503 -> "ServiceUnavailable";
      case 504 -> "Timeout";
      default -> status < 500 ? "BadRequest" : "BadGateway";
    };
  }

  private KubeStatus accept(AgentStream stream, String protocol) throws InterruptedException {
    SocketBridge bridge = new SocketBridge(stream, request.getComponents().getScheduler());
    try {
      if (!mappings.upgrade(
          new Negotiator(bridge, protocol),
          request,
          response,
          callback,
          SocketExchange::configure)) {
        return KubeStatus.badRequest("not a valid WebSocket handshake");
      }
    } catch (RuntimeException e) {
      log.debug("WebSocket handshake failed: cause={}", e.toString());
      return KubeStatus.badRequest("not a valid WebSocket handshake");
    }
    bridge.run();
    return null;
  }

  private static void configure(Configuration configuration) {
    configuration.setIdleTimeout(Duration.ZERO);
    // What goes out stays whole; what comes in arrives in pieces of the input buffer.
    configuration.setAutoFragment(true);
    configuration.setMaxFrameSize(64L << 20);
    configuration.setInputBufferSize(INPUT_BUFFER);
    configuration.setOutputBufferSize(4 << 10);
  }

  private record Negotiator(SocketBridge bridge, String protocol) implements WebSocketNegotiator {
    @Override
    public FrameHandler negotiate(
        ServerUpgradeRequest request, ServerUpgradeResponse response, Callback callback) {
      response.setExtensions(List.of());
      if (!protocol.isEmpty()) {
        response.setAcceptedSubProtocol(protocol);
      }
      return bridge;
    }
  }
}
