package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.WebSocketData;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * What the peer has sent for one WebSocket and the target has not taken yet. Bounded: a gap would
 * corrupt the stream, so too much of it ends the stream instead (protocol 4.3, 4.4.5).
 */
final class SocketInbox {
  /** What a message costs beyond its text. */
  private static final int OVERHEAD = 128;

  private final Gate gate;
  private final ByteBudget budget;
  private final int limit;
  private final Queue<JsonText> queue = new ArrayDeque<>();
  private int waiting;
  private boolean closed;

  SocketInbox(Gate gate, ByteBudget budget, int limit) {
    this.gate = gate;
    this.budget = budget;
    this.limit = limit;
  }

  /** A further message. Never waits. */
  void offer(JsonText payload) {
    int cost = payload.length() + OVERHEAD;
    synchronized (this) {
      if (closed) {
        return;
      }
      if (waiting + cost > limit || !budget.take(cost)) {
        gate.stop(
            new Failure(
                Failure.Reason.BODY,
                "messages come faster than the target takes them: "
                    + (waiting >> 10)
                    + " KiB are waiting"));
        return;
      }
      waiting += cost;
      queue.add(payload);
    }
    gate.signal();
  }

  /** The peer sends nothing more. */
  void close() {
    synchronized (this) {
      closed = true;
    }
    gate.signal();
  }

  /** Whether the peer has closed; what it sent before may still be there. */
  synchronized boolean closed() {
    return closed;
  }

  /** The next message, or null. */
  WebSocketData poll() throws Failure {
    JsonText next;
    synchronized (this) {
      next = queue.poll();
      if (next == null) {
        return null;
      }
      waiting -= next.length() + OVERHEAD;
    }
    budget.give(next.length() + OVERHEAD);
    try {
      return WebSocketData.parse(next);
    } catch (ProtocolException e) {
      throw Failure.invalid("invalid data: " + e.getMessage());
    }
  }

  /** Gives the memory back and takes nothing any more. */
  synchronized void dispose() {
    closed = true;
    queue.clear();
    budget.give(waiting);
    waiting = 0;
  }
}
