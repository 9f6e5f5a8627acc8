package io.pipeops.agent.link;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.link.LinkSettings.Limits;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Iterator;

/**
 * Messages that wait for a handler that is away, in the order they came: bounded in number, bytes
 * and time. Used under the dispatch lock of one connection.
 */
final class HoldingQueue {
  private final Limits limits;
  private final ArrayDeque<Held> queue = new ArrayDeque<>();
  private long bytes;

  /** One message, and the binary message that belongs to it, if any. */
  static final class Held {
    final Message message;
    final long deadline;
    private final long bytes;
    ByteBuffer binary;

    Held(Message message, long bytes, long deadline) {
      this.message = message;
      this.bytes = bytes;
      this.deadline = deadline;
    }
  }

  /** Takes a message out for good when it returns true. */
  interface Visitor {
    boolean take(Held held);
  }

  HoldingQueue(Limits limits) {
    this.limits = limits;
  }

  boolean isEmpty() {
    return queue.isEmpty();
  }

  /** Keeps a message; null if there is no room for it. */
  Held keep(Message message, long size, long now) {
    if (queue.size() >= limits.holdMessages() || bytes + size > limits.holdBytes()) {
      return null;
    }
    Held held = new Held(message, size, now + limits.hold().toNanos());
    queue.add(held);
    bytes += size;
    return held;
  }

  /** Adds the binary message that followed; false if there is no room. */
  boolean attach(Held held, ByteBuffer binary) {
    if (bytes + binary.remaining() > limits.holdBytes()) {
      return false;
    }
    held.binary = binary;
    bytes += binary.remaining();
    return true;
  }

  /** Shows each message in order. */
  void visit(Visitor visitor) {
    for (Iterator<Held> each = queue.iterator(); each.hasNext(); ) {
      Held held = each.next();
      if (visitor.take(held)) {
        each.remove();
        drop(held);
      }
    }
  }

  /** Takes the first message whose time is over; null if there is none. */
  Held expired(long now) {
    Held held = queue.peek();
    if (held == null || held.deadline - now > 0) {
      return null;
    }
    queue.remove();
    drop(held);
    return held;
  }

  /** When the first message's time is over; only if it is not empty. */
  long deadline() {
    return queue.element().deadline;
  }

  void clear() {
    queue.clear();
    bytes = 0;
  }

  private void drop(Held held) {
    bytes -= held.bytes + (held.binary == null ? 0 : held.binary.remaining());
  }
}
