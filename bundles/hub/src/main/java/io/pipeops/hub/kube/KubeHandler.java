package io.pipeops.hub.kube;

import io.pipeops.hub.agents.AgentSessions;
import io.pipeops.hub.agents.ClusterDirectory;
import java.time.Duration;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketServerComponents;

/**
 * Serves the Kubernetes API of each cluster: {@code /k8s/clusters/{id}/…} reaches the API server of
 * that cluster through its agent. A client's token is good for one cluster and stays here; the
 * cluster gets its own. Every request has a virtual thread of its own.
 */
public final class KubeHandler extends Handler.Abstract.NonBlocking {
  private final ClusterDirectory directory;
  private final AgentSessions sessions;
  private final Duration responseHead;
  private final boolean impersonation;
  private final AuditLog audit;
  private final RecentRefusals refusals = new RecentRefusals();
  private volatile WebSocketMappings sockets;

  /** Without an audit log. */
  public KubeHandler(
      ClusterDirectory directory,
      AgentSessions sessions,
      Duration responseHead,
      boolean impersonation) {
    this(directory, sessions, responseHead, impersonation, false);
  }

  /**
   * @param responseHead how long a response may take to begin
   * @param impersonation whether {@code Impersonate-*} headers reach the cluster
   * @param audit whether each request is logged
   */
  public KubeHandler(
      ClusterDirectory directory,
      AgentSessions sessions,
      Duration responseHead,
      boolean impersonation,
      boolean audit) {
    this.audit = new AuditLog(directory, audit);
    this.directory = directory;
    this.sessions = sessions;
    this.responseHead = responseHead;
    this.impersonation = impersonation;
  }

  @Override
  protected void doStart() throws Exception {
    sockets =
        new WebSocketMappings(WebSocketServerComponents.ensureWebSocketComponents(getServer()));
    super.doStart();
  }

  /** Whether a raw path belongs to this handler. */
  public static boolean serves(String rawPath) {
    return rawPath.startsWith(KubePath.PREFIX);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    if (!serves(request.getHttpURI().getPath())) {
      return false;
    }
    KubeExchange exchange =
        new KubeExchange(
            directory,
            sessions,
            responseHead,
            impersonation,
            sockets,
            refusals,
            audit,
            request,
            response,
            callback);
    Thread.ofVirtual().name("hub-kube-request").start(exchange);
    return true;
  }
}
