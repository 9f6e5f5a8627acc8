package io.pipeops.hub;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.ConnectionMetaData;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.component.AbstractLifeCycle;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes connections whose client takes too long to send the headers of a request, byte by byte
 * perhaps: an idle limit alone does not see that. Also counts requests, so that no connection lives
 * for ever. A new connection has the same time for its TLS handshake and its first request.
 */
final class ConnectionWatch extends AbstractLifeCycle implements Connection.Listener {
  private static final Logger log = LoggerFactory.getLogger(ConnectionWatch.class);

  private final Map<Connection, State> connections = new ConcurrentHashMap<>();
  private final Scheduler scheduler;
  private final long limit;
  private final int requests;
  private volatile Scheduler.Task task;

  ConnectionWatch(Scheduler scheduler, Duration limit, int requests) {
    this.scheduler = scheduler;
    this.limit = limit.toNanos();
    this.requests = requests;
  }

  private static final class State {
    private long since = System.nanoTime();
    private boolean waiting = true;
    private boolean busy;
    private long seen;
    private int count;

    synchronized int begin() {
      busy = true;
      waiting = false;
      return ++count;
    }

    synchronized void end(long bytesIn) {
      busy = false;
      waiting = false;
      seen = bytesIn;
    }

    /** Whether a request has been on its way for longer than the limit. */
    synchronized boolean late(long bytesIn, long now, long limit) {
      if (busy) {
        return false;
      }
      if (!waiting && bytesIn != seen) {
        waiting = true;
        since = now;
      }
      return waiting && now - since > limit;
    }
  }

  @Override
  protected void doStart() {
    schedule();
  }

  @Override
  protected void doStop() {
    Scheduler.Task last = task;
    if (last != null) {
      last.cancel();
    }
    connections.clear();
  }

  private void schedule() {
    task = scheduler.schedule(this::sweep, Math.max(limit / 4, 50_000_000L), TimeUnit.NANOSECONDS);
  }

  private void sweep() {
    long now = System.nanoTime();
    connections.forEach(
        (connection, state) -> {
          if (state.late(connection.getBytesIn(), now, limit)) {
            log.debug(
                "Connection closed, its request headers took too long: remote={}",
                connection.getEndPoint().getRemoteSocketAddress());
            connection.getEndPoint().close();
          }
        });
    if (isRunning() || isStarting()) {
      schedule();
    }
  }

  @Override
  public void onOpened(Connection connection) {
    if (connection instanceof ConnectionMetaData) {
      connections.put(connection, new State());
    }
  }

  @Override
  public void onClosed(Connection connection) {
    connections.remove(connection);
  }

  /**
   * Notes that the headers of a request are complete.
   *
   * @return whether it shall be the last one of its connection
   */
  boolean arrived(Request request) {
    Connection connection = request.getConnectionMetaData().getConnection();
    State state = connections.get(connection);
    if (state == null) {
      return false;
    }
    Request.addCompletionListener(request, failure -> state.end(connection.getBytesIn()));
    return state.begin() >= requests;
  }
}
