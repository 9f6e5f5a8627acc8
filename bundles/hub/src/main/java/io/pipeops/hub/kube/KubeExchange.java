package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.hub.agents.AgentErrorException;
import io.pipeops.hub.agents.AgentGoneException;
import io.pipeops.hub.agents.AgentRequest;
import io.pipeops.hub.agents.AgentResponse;
import io.pipeops.hub.agents.AgentSession;
import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.agents.AgentStream;
import io.pipeops.hub.agents.Bearer;
import io.pipeops.hub.agents.ClusterDirectory;
import io.pipeops.hub.agents.StreamAbortedException;
import io.pipeops.hub.agents.TooManyRequestsException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request of a client for a cluster's API, from check to last byte. Runs on a virtual thread of
 * its own and blocks; a large request body is read and sent by a second one. If the answer breaks
 * off, so does the client's connection: a cut answer must not look like a whole one.
 */
final class KubeExchange implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(KubeExchange.class);
  private static final int RETRY_AFTER_SECONDS = 1;

  private static final KubeStatus NO_SPDY =
      KubeStatus.of(
          501,
          "NotImplemented",
          "this cluster's agent does not carry SPDY: exec, attach, port-forward and cp work by"
              + " WebSocket, which kubectl 1.31 and newer use unless told otherwise");

  private final ClusterDirectory directory;
  private final AgentSessions sessions;
  private final Duration responseHead;
  private final boolean impersonation;
  private final WebSocketMappings sockets;
  private final RecentRefusals refusals;
  private final AuditLog audit;
  private final Request request;
  private final Response response;
  private final Callback callback;
  private final ClientWatch watch;

  // For the audit log.
  private int status;
  private long bytes;

  KubeExchange(
      ClusterDirectory directory,
      AgentSessions sessions,
      Duration responseHead,
      boolean impersonation,
      WebSocketMappings sockets,
      RecentRefusals refusals,
      AuditLog audit,
      Request request,
      Response response,
      Callback callback) {
    this.directory = directory;
    this.sessions = sessions;
    this.responseHead = responseHead;
    this.impersonation = impersonation;
    this.sockets = sockets;
    this.refusals = refusals;
    this.audit = audit;
    this.request = request;
    this.response = response;
    this.callback = callback;
    this.watch = new ClientWatch(request);
  }

  @Override
  public void run() {
    long begun = System.nanoTime();
    serve();
    if (audit.enabled()) {
      audit.note(request, status, bytes, System.nanoTime() - begun);
    }
  }

  private void serve() {
    try {
      KubePath path = KubePath.parse(request.getHttpURI().getPath());
      KubeStatus refusal = refusal(path);
      if (refusal != null) {
        refuse(refusal);
        return;
      }
      Optional<AgentSession> session = sessions.session(path.clusterId());
      if (session.isEmpty()) {
        refuse(unavailable("the cluster's agent is not connected"));
        return;
      }
      if (byStream(session.get(), path)) {
        return;
      }
      if (Upgrade.isSpdy(request)) {
        refuse(refusals.take(refusalKey(path)).orElse(NO_SPDY));
      } else if (Upgrade.isWebSocket(request)) {
        socket(session.get(), path);
      } else {
        proxy(session.get(), path);
      }
    } catch (RawPath.RefusedException e) {
      refuse(KubeStatus.badRequest(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      failed(e);
    } catch (RuntimeException e) {
      log.warn("Request failed: cause={}", e.toString());
      if (response.isCommitted()) {
        failed(e);
      } else {
        refuse(unavailable("the hub's store is not available"));
      }
    }
  }

  /** The fast way, with agents that know it; false if this is none of them. */
  private boolean byStream(AgentSession session, KubePath path) throws InterruptedException {
    if (!session.streams().knows(Extensions.API_STREAM)) {
      return false;
    }
    boolean upgrade = Upgrade.isSpdy(request) || Upgrade.isWebSocket(request);
    KubeStatus fault = upgrade ? Upgrade.fault(request, path) : null;
    if (fault != null) {
      refuse(fault);
      return true;
    }
    ApiExchange exchange =
        new ApiExchange(
            request,
            response,
            callback,
            responseHead,
            impersonation,
            () -> directory.serviceToken(path.clusterId()));
    boolean done = exchange.run(session, path);
    status = exchange.status();
    bytes = exchange.bytes();
    return done;
  }

  /** Why the request may not go on, or null. */
  private KubeStatus refusal(KubePath path) {
    Optional<String> bearer = Bearer.of(request);
    if (bearer.isEmpty()) {
      return KubeStatus.of(401, "Unauthorized", "a token for this cluster is required");
    }
    if (!directory.authorizeClient(path.clusterId(), bearer.get())) {
      return unauthorized(path, bearer.get());
    }
    if (!path.isApi()) {
      return KubeStatus.of(404, "NotFound", "the path is not one of the Kubernetes API");
    }
    return null;
  }

  private KubeStatus unauthorized(KubePath path, String bearer) {
    if (!directory.knowsClient(bearer)) {
      return KubeStatus.of(401, "Unauthorized", "the token is not valid");
    }
    return directory.find(path.clusterId()).isPresent()
        ? KubeStatus.of(403, "Forbidden", "the token is for another cluster")
        : KubeStatus.of(404, "NotFound", "there is no such cluster");
  }

  private static KubeStatus unavailable(String message) {
    return new KubeStatus(503, "ServiceUnavailable", message, RETRY_AFTER_SECONDS);
  }

  private void socket(AgentSession session, KubePath path) throws InterruptedException {
    KubeStatus fault = Upgrade.fault(request, path);
    if (fault == null) {
      fault =
          new SocketExchange(request, response, callback, sockets, responseHead)
              .run(session, path, toCluster(path));
    }
    if (fault != null) {
      refusals.note(refusalKey(path), fault);
      response.reset();
      refuse(fault);
    } else {
      status = 101;
    }
  }

  private String refusalKey(KubePath path) {
    String query = request.getHttpURI().getQuery();
    return RecentRefusals.key(path, query == null ? "" : query, Bearer.of(request).orElseThrow());
  }

  private Headers toCluster(KubePath path) {
    return HeaderFilter.toCluster(
        request.getHeaders(), directory.serviceToken(path.clusterId()), impersonation);
  }

  private void proxy(AgentSession session, KubePath path) throws InterruptedException {
    long length = request.getHeaders().getLongField(HttpHeader.CONTENT_LENGTH);
    boolean streamed =
        length > AgentRequest.INLINE_BODY
            || request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
    AgentStream stream;
    try {
      ByteBuffer body = streamed || length <= 0 ? BufferUtil.EMPTY_BUFFER : read((int) length);
      Headers headers = toCluster(path);
      String query = request.getHttpURI().getQuery();
      stream =
          session.open(
              new AgentRequest(
                  request.getMethod(),
                  path.path(),
                  query == null ? "" : query,
                  headers,
                  body,
                  streamed));
    } catch (AgentGoneException e) {
      refuse(unavailable(e.getMessage()));
      return;
    } catch (TooManyRequestsException e) {
      refuse(new KubeStatus(429, "TooManyRequests", e.getMessage(), RETRY_AFTER_SECONDS));
      return;
    } catch (IOException e) {
      log.debug("Request body broke off: cause={}", e.toString());
      failed(e);
      return;
    }
    try (stream) {
      exchange(stream, streamed);
    }
  }

  private ByteBuffer read(int length) throws IOException {
    InputStream in = Content.Source.asInputStream(request);
    byte[] body = in.readNBytes(length);
    if (body.length < length) {
      throw new EOFException("the body is shorter than its Content-Length");
    }
    return ByteBuffer.wrap(body);
  }

  private void exchange(AgentStream stream, boolean streamed) throws InterruptedException {
    // A watch may be silent for as long as it likes; that a client is gone is noticed otherwise.
    request.addIdleTimeoutListener(timeout -> false);
    request.addFailureListener(cause -> stream.abort("the client went away"));
    if (streamed) {
      Thread.ofVirtual().name("hub-kube-upload").start(() -> upload(stream));
    } else {
      watch(stream);
    }
    try {
      AgentResponse head = stream.head(responseHead);
      answer(stream, head);
      watch.stop();
      callback.succeeded();
    } catch (AgentErrorException e) {
      fail(KubeStatus.of(502, "BadGateway", "the cluster's agent: " + e.getMessage()), e);
    } catch (AgentGoneException e) {
      // The cluster may have carried out the request: the client must not repeat it by itself.
      fail(KubeStatus.of(502, "BadGateway", e.getMessage()), e);
    } catch (TimeoutException e) {
      fail(KubeStatus.of(504, "Timeout", "the cluster's agent: " + e.getMessage()), e);
    } catch (StreamAbortedException e) {
      fail(KubeStatus.of(502, "BadGateway", e.getMessage()), e);
    } catch (IOException e) {
      // The client went away, or the agent's answer is not as long as it said.
      fail(KubeStatus.of(502, "BadGateway", "the answer could not be passed on"), e);
    }
  }

  private void upload(AgentStream stream) {
    try {
      stream.sendBody(Content.Source.asInputStream(request));
      watch(stream);
    } catch (IOException e) {
      log.debug("Request body broke off: cause={}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.debug("Request body given up: cause={}", e.toString());
      stream.abort("the request's body could not be read");
    }
  }

  private void watch(AgentStream stream) {
    watch.start(() -> stream.abort("the client went away"));
  }

  private void answer(AgentStream stream, AgentResponse head)
      throws IOException, InterruptedException {
    status = head.status();
    response.setStatus(head.status());
    HeaderFilter.toClient(head.headers(), response.getHeaders());
    AnswerBody body = new AnswerBody(request, response);
    if (!stream.ready()) {
      body.begin();
    }
    boolean last = false;
    while (!last) {
      ByteBuffer piece = stream.take();
      last = piece == null || stream.complete();
      bytes += piece == null ? 0 : piece.remaining();
      body.write(piece == null ? BufferUtil.EMPTY_BUFFER : piece, last);
    }
  }

  private void refuse(KubeStatus refusal) {
    watch.stop();
    status = refusal.code();
    log.debug("Request refused: status={} reason={}", refusal.code(), refusal.message());
    refusal.send(response, callback);
  }

  /** Answers if that is still possible; else cuts the connection. */
  private void fail(KubeStatus status, Exception cause) {
    if (response.isCommitted()) {
      log.debug("Response cut off: reason={}", status.message());
      failed(cause);
    } else {
      response.reset();
      refuse(status);
    }
  }

  private void failed(Throwable cause) {
    watch.stop();
    callback.failed(cause);
  }
}
