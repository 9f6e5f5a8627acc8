package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.io.Content;

/**
 * A request body that comes in chunks (protocol 3.3). The reader thread only puts messages into the
 * bounded inbox; they are decoded when the client asks for them. When the client had to wait, the
 * stream's own thread carries on with the upload in {@link #work}.
 */
final class StreamedBody implements Request.Content {
  /** What a message costs beyond its text, so that empty ones are not free. */
  private static final int OVERHEAD = 128;

  /** More would only lie here: it is what 100 Mbit/s and 50 ms have on their way, three times. */
  private static final int MOST = 2 << 20;

  private final Gate gate;
  private final ByteBudget budget;
  private final long length;
  private final int limit;

  /** What a peer that asks for it may send before the target has taken any of it. */
  private final long window;

  private final Queue<JsonText> inbox = new ArrayDeque<>();
  private int waiting;
  private long sent;
  private long taken;
  private long announced;
  private boolean ended;
  private boolean drained;
  private boolean closed;
  private Runnable demand;
  private Failure failure;
  private volatile long progress = System.nanoTime();

  /**
   * An empty body.
   *
   * @param length what the peer says it will be; -1 if unknown
   * @param limit bytes that may wait
   */
  StreamedBody(Gate gate, ByteBudget budget, long length, int limit) {
    this.gate = gate;
    this.budget = budget;
    this.length = length;
    this.limit = limit;
    // In the inbox a chunk is base64 and costs its overhead, four thirds of what it counts for; and
    // one chunk may come beyond what was granted. The setting allows no limit that is too small.
    int fits = limit / 4 * 3 - ProxyRequestWindow.CHUNK - ProxyRequestWindow.PER_CHUNK;
    this.window = Math.min(MOST, fits);
  }

  /** A further chunk. Never waits: too many of them fail the stream. */
  void offer(JsonText payload) {
    int cost = payload.length() + OVERHEAD;
    synchronized (this) {
      if (closed || ended) {
        return;
      }
      if (waiting + cost > limit) {
        fail(
            new Failure(
                Failure.Reason.BODY,
                "request body comes faster than the target takes it: more than "
                    + (limit >> 10)
                    + " KiB are waiting"));
      } else if (!budget.take(cost)) {
        fail(new Failure(Failure.Reason.MEMORY, "no memory left for the request body"));
      } else {
        waiting += cost;
        inbox.add(payload);
      }
    }
    gate.signal();
  }

  /** The peer has sent all. */
  void end() {
    synchronized (this) {
      ended = true;
    }
    gate.signal();
  }

  /** Goes on with an upload that ran dry. For the stream's thread. */
  void work() {
    Runnable next;
    synchronized (this) {
      next = inbox.isEmpty() && !ended && failure == null ? null : demand;
      if (next != null) {
        demand = null;
      }
    }
    if (next != null) {
      next.run();
    }
  }

  /** Whether there is nothing to send until the peer sends more. */
  synchronized boolean starved() {
    return inbox.isEmpty() && !ended && !closed;
  }

  /** Whether the body turned out to be empty. */
  synchronized boolean empty() {
    return ended && inbox.isEmpty() && sent == 0;
  }

  /** Whether the target has got all of it. */
  synchronized boolean done() {
    return drained;
  }

  /** When something was last taken for the target. */
  long progress() {
    return progress;
  }

  long sent() {
    return sent;
  }

  /**
   * How far the peer may send by now, if it is time to tell it so ({@link ProxyRequestWindow}).
   *
   * @return null if it is not
   */
  synchronized ProxyRequestWindow grant() {
    if (!due()) {
      return null;
    }
    announced = taken + window;
    return new ProxyRequestWindow(announced);
  }

  private boolean due() {
    return !closed && !ended && taken + window - announced >= window / 2;
  }

  /** Takes nothing any more and gives the memory back. */
  synchronized void close() {
    closed = true;
    demand = null;
    inbox.clear();
    budget.give(waiting);
    waiting = 0;
  }

  @Override
  public long getLength() {
    return length;
  }

  @Override
  public String getContentType() {
    return null;
  }

  @Override
  public synchronized Content.Chunk read() {
    while (failure == null && !closed) {
      JsonText next = inbox.poll();
      if (next == null) {
        return atEnd();
      }
      waiting -= next.length() + OVERHEAD;
      budget.give(next.length() + OVERHEAD);
      progress = System.nanoTime();
      try {
        ByteBuffer data = ProxyRequestChunk.parse(next).data();
        sent += data.remaining();
        taken += data.remaining() + ProxyRequestWindow.PER_CHUNK;
        if (due()) {
          gate.signal();
        }
        if (length >= 0 && sent > length) {
          fail(new Failure(Failure.Reason.BODY, "request body is longer than its Content-Length"));
        } else if (data.hasRemaining()) {
          return Content.Chunk.from(data, false);
        }
      } catch (ProtocolException e) {
        fail(new Failure(Failure.Reason.BODY, "invalid request body: " + e.getMessage()));
      }
    }
    return Content.Chunk.from(
        failure != null ? new IOException(failure.getMessage()) : new IOException("closed"), true);
  }

  private Content.Chunk atEnd() {
    if (!ended) {
      return null;
    }
    if (length >= 0 && sent < length) {
      fail(new Failure(Failure.Reason.BODY, "request body is shorter than its Content-Length"));
      return Content.Chunk.from(new IOException(failure.getMessage()), true);
    }
    drained = true;
    return Content.Chunk.EOF;
  }

  @Override
  public void demand(Runnable callback) {
    synchronized (this) {
      demand = callback;
    }
    gate.signal();
  }

  /** The client gives up; why is told by the call's own failure. */
  @Override
  public void fail(Throwable cause) {
    close();
  }

  private void fail(Failure why) {
    if (failure == null) {
      failure = why;
      gate.stop(why);
    }
  }
}
