package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkListener;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The status, and who is told of its changes. Listeners are called one after the other on a thread
 * of their own, so that none of them can hold up the connection.
 */
final class StatusBoard implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StatusBoard.class);

  private final List<LinkListener> listeners = new CopyOnWriteArrayList<>();
  private final ExecutorService teller =
      Executors.newSingleThreadExecutor(Thread.ofVirtual().name("link-status").factory());
  private final Consumer<LinkState> changes;
  private LinkStatus status =
      new LinkStatus(LinkState.DISCONNECTED, Instant.now(), "not started", "", "", "", false);

  /**
   * Starts disconnected.
   *
   * @param changes is told of each new state, for the metric
   */
  StatusBoard(Consumer<LinkState> changes) {
    this.changes = changes;
  }

  synchronized LinkStatus status() {
    return status;
  }

  /** Applies a change; listeners are told if it changed anything. */
  void update(UnaryOperator<LinkStatus> change) {
    synchronized (this) {
      LinkStatus next = change.apply(status);
      if (same(next, status)) {
        return;
      }
      if (next.state() != status.state()) {
        changes.accept(next.state());
      }
      status = next;
      tell(() -> listeners.forEach(listener -> call(listener, next)));
    }
  }

  /** A record's own equals costs twenty milliseconds of a start, for code made at run time. */
  private static boolean same(LinkStatus a, LinkStatus b) {
    return a.state() == b.state()
        && a.gateway() == b.gateway()
        && a.reason().equals(b.reason())
        && a.agentId().equals(b.agentId())
        && a.clusterId().equals(b.clusterId())
        && a.peer().equals(b.peer());
  }

  /** A new state and its reason; the time moves only if the state is another. */
  void state(LinkState state, String reason) {
    update(
        s ->
            new LinkStatus(
                state,
                s.state() == state ? s.since() : Instant.now(),
                reason,
                s.agentId(),
                s.clusterId(),
                s.peer(),
                s.gateway()));
  }

  void identity(String agentId, String clusterId) {
    update(
        s ->
            new LinkStatus(
                s.state(), s.since(), s.reason(), agentId, clusterId, s.peer(), s.gateway()));
  }

  void peer(String peer, boolean gateway) {
    update(
        s ->
            new LinkStatus(
                s.state(), s.since(), s.reason(), s.agentId(), s.clusterId(), peer, gateway));
  }

  /** The listener is told of the present status, and then of each change, in order. */
  void add(LinkListener listener) {
    synchronized (this) {
      LinkStatus now = status;
      tell(
          () -> {
            call(listener, now);
            listeners.add(listener);
          });
    }
  }

  void remove(LinkListener listener) {
    listeners.remove(listener);
    tell(() -> listeners.remove(listener));
  }

  private void tell(Runnable news) {
    try {
      teller.execute(news);
    } catch (RejectedExecutionException e) {
      log.trace("Closed");
    }
  }

  private static void call(LinkListener listener, LinkStatus status) {
    try {
      listener.linkChanged(status);
    } catch (RuntimeException | LinkageError e) {
      log.warn("A listener failed {}", listener.getClass().getName(), e);
    }
  }

  /** What was to be told is still told. */
  @Override
  public void close() {
    teller.shutdown();
  }
}
