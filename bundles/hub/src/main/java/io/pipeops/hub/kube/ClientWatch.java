package io.pipeops.hub.kube;

import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;

/** Watches whether the client of one request is still there, once all of the request was read. */
final class ClientWatch {
  private final Request request;
  private DisconnectWatch watch;
  private boolean over;

  ClientWatch(Request request) {
    this.request = request;
  }

  /** Begins, if the request was read to its end, so that nobody else reads from the connection. */
  synchronized void start(Runnable onGone) {
    if (!over && consumed()) {
      watch = DisconnectWatch.start(request, onGone);
    }
  }

  private boolean consumed() {
    Content.Chunk chunk = request.read();
    if (chunk == null) {
      return false;
    }
    boolean last = chunk.isLast() && !chunk.hasRemaining();
    chunk.release();
    return last;
  }

  /** Ends for good; to be called before the exchange is completed. */
  synchronized void stop() {
    over = true;
    if (watch != null) {
      watch.stop();
    }
  }
}
