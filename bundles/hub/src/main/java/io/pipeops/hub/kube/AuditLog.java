package io.pipeops.hub.kube;

import io.pipeops.hub.agents.Bearer;
import io.pipeops.hub.agents.ClusterDirectory;
import org.eclipse.jetty.server.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One line for each request to a cluster's API, if an administrator wants that: who, what, and what
 * came of it. Who is named by the id of the token, never by the token; the query is left out, since
 * it may hold anything, as the commands of exec.
 */
final class AuditLog {
  private static final Logger log = LoggerFactory.getLogger("io.pipeops.hub.audit");
  private static final int LONGEST_PATH = 1024;

  private final ClusterDirectory directory;
  private final boolean enabled;

  AuditLog(ClusterDirectory directory, boolean enabled) {
    this.directory = directory;
    this.enabled = enabled;
  }

  boolean enabled() {
    return enabled;
  }

  /**
   * Writes the line.
   *
   * @param bytes of the answer's body, or of what came after a switch of protocols
   */
  void note(Request request, int status, long bytes, long nanos) {
    String who = Bearer.of(request).flatMap(directory::clientId).orElse("-");
    log.info(
        "client={} address={} method={} path={} status={} bytes={} ms={}",
        who,
        Request.getRemoteAddr(request),
        request.getMethod(),
        path(request.getHttpURI().getPath()),
        status,
        bytes,
        nanos / 1_000_000);
  }

  /** As it came over the wire, where nothing but printable ASCII stays. */
  private static String path(String raw) {
    String kept = raw.length() > LONGEST_PATH ? raw.substring(0, LONGEST_PATH) : raw;
    return kept.replaceAll("[^\\x21-\\x7e]", "?");
  }
}
