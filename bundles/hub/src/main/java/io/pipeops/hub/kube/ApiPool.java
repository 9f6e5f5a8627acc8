package io.pipeops.hub.kube;

import io.pipeops.hub.agents.AgentStreams;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * The connections to one cluster's API server that wait for their next request, the one used last
 * first. One that has waited for a second says so to its agent, by an empty line, so that the agent
 * can let it go when its feature is replaced; after that it is used only for requests that may be
 * repeated. Ends with the agent's connection.
 */
final class ApiPool implements AutoCloseable {
  private static final int MOST = 64;
  private static final long MARK_NANOS = Duration.ofSeconds(1).toNanos();

  /** How long after a failure nothing is asked of the agent's fast path. */
  private static final long REFUSED_NANOS = Duration.ofSeconds(5).toNanos();

  /** Shorter than API servers keep idle connections. */
  private static final long IDLE_NANOS = Duration.ofSeconds(30).toNanos();

  private final AgentStreams streams;
  private final ArrayDeque<ApiConnection> idle = new ArrayDeque<>();
  private boolean sweeping;
  private boolean refused;
  private long refusedAt;
  private boolean closed;

  ApiPool(AgentStreams streams) {
    this.streams = streams;
  }

  static ApiPool of(AgentStreams streams) {
    return streams.attached(ApiPool.class, () -> new ApiPool(streams));
  }

  /**
   * A connection for one exchange.
   *
   * @param repeatable whether the request could be sent again if the connection turns out dead
   * @throws IOException if none can be had; nothing has reached the API server then
   */
  ApiConnection acquire(boolean repeatable, Duration limit)
      throws IOException, InterruptedException {
    while (true) {
      ApiConnection next;
      synchronized (this) {
        next = idle.peek();
        if (next == null || (next.marked && !repeatable)) {
          break;
        }
        idle.remove();
      }
      if (next.alive()) {
        next.used = true;
        return next;
      }
      next.close();
    }
    synchronized (this) {
      if (refused && System.nanoTime() - refusedAt < REFUSED_NANOS) {
        throw new IOException("the agent refused a moment ago");
      }
    }
    return fresh(limit);
  }

  /** A connection that was not used before. */
  ApiConnection fresh(Duration limit) throws IOException, InterruptedException {
    boolean opened = false;
    try {
      ApiConnection connection = ApiConnection.open(streams, limit);
      opened = true;
      return connection;
    } finally {
      synchronized (this) {
        refused = !opened;
        refusedAt = System.nanoTime();
      }
    }
  }

  /** Takes a connection back after an exchange. */
  void release(ApiConnection connection) {
    synchronized (this) {
      if (!closed && connection.reusable() && idle.size() < MOST) {
        connection.idleSince = System.nanoTime();
        connection.marked = false;
        idle.push(connection);
        if (!sweeping) {
          sweeping = true;
          Thread.ofVirtual().name("hub-api-pool").start(this::sweep);
        }
        return;
      }
    }
    connection.close();
  }

  /** Runs as long as something waits. */
  private void sweep() {
    try {
      while (true) {
        List<ApiConnection> old = new ArrayList<>();
        synchronized (this) {
          if (idle.isEmpty() || closed) {
            sweeping = false;
            return;
          }
          wait(1000);
          long now = System.nanoTime();
          for (Iterator<ApiConnection> each = idle.iterator(); each.hasNext(); ) {
            ApiConnection connection = each.next();
            long waited = now - connection.idleSince;
            if (waited > IDLE_NANOS || !connection.alive()) {
              each.remove();
              old.add(connection);
            } else if (waited > MARK_NANOS && !connection.marked) {
              mark(connection);
            }
          }
        }
        old.forEach(ApiConnection::close);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Two bytes always fit the window of a stream that waits for nothing. */
  private void mark(ApiConnection connection) throws InterruptedException {
    connection.marked = true;
    try {
      connection.write(ByteBuffer.wrap(new byte[] {'\r', '\n'}));
    } catch (IOException e) {
      connection.reset();
    }
  }

  @Override
  public void close() {
    List<ApiConnection> last;
    synchronized (this) {
      closed = true;
      last = List.copyOf(idle);
      idle.clear();
      notifyAll();
    }
    last.forEach(ApiConnection::close);
  }
}
