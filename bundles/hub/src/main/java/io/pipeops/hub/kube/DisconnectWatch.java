package io.pipeops.hub.kube;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CancellationException;
import org.eclipse.jetty.io.AbstractEndPoint;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;

/**
 * Notices that a client went away while it waits for an answer. A server that speaks HTTP/1.1 reads
 * nothing between a request and its answer, so it learns that only from its next write, and a watch
 * may not write for an hour. This reads in that time. It must begin only after the request was read
 * to its end, and must be stopped before the exchange is completed.
 */
final class DisconnectWatch {
  private final AbstractEndPoint endPoint;
  private final Connection connection;
  private final Runnable onGone;
  private boolean stopped;

  private DisconnectWatch(AbstractEndPoint endPoint, Connection connection, Runnable onGone) {
    this.endPoint = endPoint;
    this.connection = connection;
    this.onGone = onGone;
  }

  /** Begins to watch, if the connection allows it. */
  static DisconnectWatch start(Request request, Runnable onGone) {
    Connection connection = request.getConnectionMetaData().getConnection();
    if (!(connection.getEndPoint() instanceof AbstractEndPoint endPoint)
        || !(connection instanceof Connection.UpgradeTo)) {
      return new DisconnectWatch(null, connection, onGone);
    }
    DisconnectWatch watch = new DisconnectWatch(endPoint, connection, onGone);
    watch.interested();
    return watch;
  }

  /** Reads no more; what was read stays with the connection. */
  synchronized void stop() {
    if (!stopped) {
      stopped = true;
      if (endPoint != null) {
        endPoint.getFillInterest().onFail(new CancellationException());
      }
    }
  }

  private synchronized void interested() {
    if (!stopped) {
      endPoint.tryFillInterested(
          Callback.from(
              this::readable,
              cause -> {
                if (!(cause instanceof CancellationException)) {
                  gone();
                }
              }));
    }
  }

  private void readable() {
    int filled;
    synchronized (this) {
      if (stopped) {
        return;
      }
      filled = fill();
    }
    if (filled < 0) {
      gone();
    } else if (filled == 0) {
      interested();
    }
  }

  /** Reads; a next request that came early is given to the connection, and the watch ends. */
  private int fill() {
    ByteBuffer buffer = BufferUtil.allocate(2048);
    try {
      int filled = endPoint.fill(buffer);
      if (filled > 0) {
        stopped = true;
        ((Connection.UpgradeTo) connection).onUpgradeTo(buffer);
      }
      return filled;
    } catch (IOException e) {
      return -1;
    }
  }

  private void gone() {
    synchronized (this) {
      if (stopped) {
        return;
      }
      stopped = true;
    }
    onGone.run();
  }
}
