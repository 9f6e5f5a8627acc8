package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What a stream says to the peer. For the stream's thread, but for {@link #replace}; whoever ends
 * it first does so for good, so there is exactly one terminal message. All messages of one stream
 * have one priority, so that they keep their order.
 */
final class Sender {
  private final String id;
  private final Reply reply;
  private final Gate gate;
  private final List<Outgoing> held = new ArrayList<>(3);
  private boolean spoke;
  private volatile Priority priority = Priority.CONTROL;
  private final AtomicBoolean finished = new AtomicBoolean();

  Sender(String id, Reply reply, Gate gate) {
    this.id = id;
    this.reply = reply;
    this.gate = gate;
  }

  /** Fixes the class before the first message; without it that is {@link Priority#CONTROL}. */
  void priority(Priority value) {
    priority = value;
  }

  boolean finished() {
    return finished.get();
  }

  /** Whether the stream has said anything yet. */
  boolean spoke() {
    return spoke;
  }

  /** Keeps a message until the next one, so that the socket takes both at once. */
  void hold(Payload payload) {
    spoke = true;
    held.add(Outgoing.text(priority, id, Envelopes.write(id, payload)));
  }

  /** Sends what is held, if anything is; waits while the link is slow. */
  void release() throws Failure, LinkLostException {
    if (!held.isEmpty()) {
      gate.send(reply, taken());
    }
  }

  /** Sends a message that others follow; waits while the link is slow. */
  void send(Payload payload) throws Failure, LinkLostException {
    hold(payload);
    release();
  }

  /** Sends what is no part of the answer, though it may stand before it. */
  void aside(Payload payload) throws Failure, LinkLostException {
    gate.send(reply, List.of(Outgoing.text(priority, id, Envelopes.write(id, payload))));
  }

  private List<Outgoing> taken() {
    List<Outgoing> messages = List.copyOf(held);
    held.clear();
    return messages;
  }

  /** Ends without a last word, because the link is gone. */
  void abandon() {
    if (finished.compareAndSet(false, true)) {
      reply.release(id);
    }
  }

  /**
   * Ends the stream from outside, in favour of another with the same id. Does not wait.
   *
   * @return false if it has ended already
   */
  boolean replace(Payload last) {
    boolean mine = finished.compareAndSet(false, true);
    if (mine) {
      reply.release(id);
      reply.offer(Outgoing.text(priority, id, Envelopes.write(id, last)));
    }
    return mine;
  }

  /** Sends what belongs to the end but is not the last message; the stream may be stopped. */
  void last(Payload payload) throws LinkLostException {
    if (!finished.get()) {
      force(List.of(Outgoing.text(priority, id, Envelopes.write(id, payload))));
    }
  }

  /** Sends the last message. The id is free again before the peer can know. */
  void finish(Payload payload) throws LinkLostException {
    if (!finished.compareAndSet(false, true)) {
      return;
    }
    held.add(Outgoing.text(priority, id, Envelopes.write(id, payload)));
    reply.release(id);
    force(taken());
  }

  private void force(List<Outgoing> messages) throws LinkLostException {
    try {
      reply.send(messages);
    } catch (InterruptedException e) {
      // Only a shutdown that would not wait any longer does that.
      Thread.currentThread().interrupt();
    }
  }
}
