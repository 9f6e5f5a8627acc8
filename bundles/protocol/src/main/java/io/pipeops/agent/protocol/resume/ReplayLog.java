package io.pipeops.agent.protocol.resume;

import io.pipeops.agent.protocol.ProtocolException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * What one side has sent and the other has not acknowledged yet. Messages have numbers from one on
 * in the order they were added; nobody writes the numbers down. Not safe for several threads.
 *
 * @param <M> a whole message; the log never looks into it
 */
public final class ReplayLog<M> {
  /** What a kept message costs besides its bytes, so that many tiny ones are not for free. */
  public static final int OVERHEAD = 64;

  private final ArrayDeque<Kept<M>> kept = new ArrayDeque<>();
  private final long limit;
  private long acknowledged;
  private long bytes;

  private static final class Kept<M> {
    final M message;
    final int cost;

    Kept(M message, int cost) {
      this.message = message;
      this.cost = cost;
    }
  }

  /**
   * @param limit bytes that may be kept before the sender has to wait
   */
  public ReplayLog(long limit) {
    this.limit = limit;
  }

  /** Whether nothing more may be sent until something is acknowledged. */
  public boolean full() {
    return bytes >= limit;
  }

  /** Bytes that are kept, with what they cost besides. */
  public long bytes() {
    return bytes;
  }

  /** How many messages are kept. */
  public int size() {
    return kept.size();
  }

  /** Adds the next message; call it before the message is given to the socket. */
  public void add(M message, int size) {
    int cost = size + OVERHEAD;
    kept.add(new Kept<>(message, cost));
    bytes += cost;
  }

  /**
   * Forgets what has arrived.
   *
   * @param count how many messages the peer has received in all; an older count changes nothing
   * @return bytes that are free again
   * @throws ProtocolException if the peer says it has received what was never sent
   */
  public long acknowledge(long count) throws ProtocolException {
    if (count < 0 || count > acknowledged + kept.size()) {
      throw new ProtocolException(
          "the peer acknowledges message " + count + " of " + (acknowledged + kept.size()));
    }
    long before = bytes;
    while (acknowledged < count) {
      bytes -= kept.remove().cost;
      acknowledged++;
    }
    return before - bytes;
  }

  /**
   * What has to be sent again over a new connection, in order.
   *
   * @param count how many messages the peer has received in all
   * @throws ProtocolException if that cannot be: more than were sent, or fewer than it acknowledged
   */
  public List<M> after(long count) throws ProtocolException {
    if (count < acknowledged) {
      throw new ProtocolException(
          "the peer has lost message " + (count + 1) + ", which it acknowledged");
    }
    acknowledge(count);
    List<M> again = new ArrayList<>(kept.size());
    for (Kept<M> one : kept) {
      again.add(one.message);
    }
    return again;
  }

  /** Forgets everything. */
  public void clear() {
    acknowledged += kept.size();
    kept.clear();
    bytes = 0;
  }
}
