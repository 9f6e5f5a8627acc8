package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Decides which message goes to the socket next, and makes producers wait when too much has piled
 * up.
 *
 * <p>Each stream is one queue, so that its messages keep their order whatever their classes are; it
 * takes its turn in the class of its first message. Classes are strict, streams of a class take
 * turns message by message.
 *
 * <p>What is queued or being written counts against one byte budget. Bulk may use three quarters of
 * it, interactive messages seven eighths, control all, so that a flood of a lower class never makes
 * a higher one wait for room. A message larger than a stream's share passes when the stream has
 * nothing else queued, but only one such message at a time exists in the whole link.
 *
 * <p>Writing happens on the thread that brought the message or that completed the former one; each
 * such run is short, the rest goes to a fresh thread, so that the reader, too, may call {@link
 * #offer}. A few small messages may be under way at once, which lets the socket take them together.
 */
final class OutboundScheduler {
  /**
   * Takes one message; calls {@code done} exactly once, on any thread, also from within. If more is
   * said to come, another call follows at once, and the socket may take them together.
   */
  interface Sink {
    void write(Outgoing message, boolean more, Completion done);
  }

  /** How a write ended; null is success. */
  interface Completion {
    void done(Throwable failure);
  }

  /** Told of each message that starts to be written. Must be quick. */
  interface Meter {
    void waited(Priority priority, long nanos, int bytes);
  }

  private static final Priority[] CLASSES = Priority.values();

  /** Nothing further is given to the socket while this much is under way. */
  private static final long IN_FLIGHT = 64 << 10;

  /** Messages that one thread writes in one go. */
  private static final int RUN = 32;

  /** Each queued message costs this much besides its bytes. */
  private static final int OVERHEAD = 64;

  private final long budget;
  private final long share;
  private final Sink sink;
  private final Meter meter;

  private final ReentrantLock lock = new ReentrantLock();
  private final Map<String, StreamQueue> streams = new HashMap<>();
  private final List<ArrayDeque<StreamQueue>> turns = new ArrayList<>();
  private final Condition[] room = new Condition[CLASSES.length];
  private final int[] waiting = new int[CLASSES.length];
  private final long[] queuedBytes = new long[CLASSES.length];
  private final Condition idle = lock.newCondition();
  private long total;
  private long inFlight;
  private long oldestInFlight;
  private boolean oversized;
  private boolean pumping;
  private boolean paused;
  private String closed;

  private static final class Entry {
    final StreamQueue stream;
    final Outgoing message;
    final long bytes;
    final boolean oversized;
    final long since = System.nanoTime();
    Completion then;

    Entry(StreamQueue stream, Outgoing message, long bytes, boolean oversized) {
      this.stream = stream;
      this.message = message;
      this.bytes = bytes;
      this.oversized = oversized;
    }
  }

  private static final class StreamQueue {
    final String name;
    final ArrayDeque<Entry> entries = new ArrayDeque<>(4);
    final Condition room;
    long bytes;
    int waiting;

    StreamQueue(String name, Condition room) {
      this.name = name;
      this.room = room;
    }
  }

  OutboundScheduler(long budget, long share, Sink sink, Meter meter) {
    this.budget = budget;
    this.share = share;
    this.sink = sink;
    this.meter = meter;
    for (int i = 0; i < CLASSES.length; i++) {
      turns.add(new ArrayDeque<>());
      room[i] = lock.newCondition();
    }
  }

  /** Queues a message, waiting for room as long as it takes. The completion may be null. */
  void send(Outgoing message, Completion then) throws InterruptedException, LinkLostException {
    try {
      send(message, then, Long.MAX_VALUE);
    } catch (TimeoutException e) {
      throw new AssertionError(e);
    }
  }

  /**
   * Queues a message, waiting for room. The completion may be null.
   *
   * @throws TimeoutException if there was no room for so many nanoseconds
   */
  void send(Outgoing message, Completion then, long nanos)
      throws InterruptedException, LinkLostException, TimeoutException {
    long left = nanos;
    int priority = message.priority().ordinal();
    lock.lockInterruptibly();
    try {
      long bytes = cost(message);
      StreamQueue stream = stream(message.stream());
      try {
        while (closed == null && !admits(stream, bytes, priority)) {
          if (left <= 0) {
            throw new TimeoutException("the link is busy");
          }
          if (stream.bytes > 0 && stream.bytes + bytes > share) {
            stream.waiting++;
            try {
              left = await(stream.room, left);
            } finally {
              stream.waiting--;
            }
          } else {
            waiting[priority]++;
            try {
              left = await(room[priority], left);
            } finally {
              waiting[priority]--;
            }
          }
          // Other streams of that name may have come and gone meanwhile.
          stream = stream(message.stream());
        }
        if (closed != null) {
          throw new LinkLostException(closed);
        }
        enqueue(stream, message, bytes, then);
      } finally {
        dropIfUnused(stream);
        wakeForRoom();
      }
    } finally {
      lock.unlock();
    }
    pump();
  }

  /**
   * Queues messages of one stream, waiting for room as long as it takes; all at once if there is
   * room for all.
   */
  void send(List<Outgoing> messages) throws InterruptedException, LinkLostException {
    if (!offerAll(messages)) {
      for (Outgoing message : messages) {
        send(message, null);
      }
    }
  }

  private boolean offerAll(List<Outgoing> messages) {
    Outgoing first = messages.get(0);
    long bytes = 0;
    for (Outgoing message : messages) {
      bytes += cost(message);
    }
    lock.lock();
    try {
      if (closed != null || bytes > share) {
        return false;
      }
      StreamQueue stream = stream(first.stream());
      if (!admits(stream, bytes, first.priority().ordinal())) {
        dropIfUnused(stream);
        return false;
      }
      for (Outgoing message : messages) {
        enqueue(stream, message, cost(message), null);
      }
    } finally {
      lock.unlock();
    }
    pump();
    return true;
  }

  /** Queues a message if there is room now. The completion may be null. */
  boolean offer(Outgoing message, Completion then) {
    lock.lock();
    try {
      if (closed != null) {
        return false;
      }
      long bytes = cost(message);
      if (total > 0 && total + bytes > limit(message.priority().ordinal())) {
        return false;
      }
      enqueue(stream(message.stream()), message, bytes, then);
    } finally {
      lock.unlock();
    }
    pump();
    return true;
  }

  /** Ends it: waiting senders get the reason, queued messages are dropped. */
  void close(String reason) {
    List<Entry> dropped = new ArrayList<>();
    lock.lock();
    try {
      if (closed != null) {
        return;
      }
      closed = reason;
      for (StreamQueue stream : streams.values()) {
        dropped.addAll(stream.entries);
        stream.entries.clear();
        stream.room.signalAll();
      }
      for (Condition condition : room) {
        condition.signalAll();
      }
      turns.forEach(ArrayDeque::clear);
      streams.clear();
      total = 0;
      java.util.Arrays.fill(queuedBytes, 0);
      idle.signalAll();
    } finally {
      lock.unlock();
    }
    LinkLostException lost = new LinkLostException(reason);
    for (Entry entry : dropped) {
      if (entry.then != null) {
        entry.then.done(lost);
      }
    }
  }

  /** Waits until everything queued has been written. */
  boolean awaitIdle(long nanos) throws InterruptedException {
    long left = nanos;
    lock.lockInterruptibly();
    try {
      while (total > 0 && closed == null) {
        if (left <= 0) {
          return false;
        }
        left = idle.awaitNanos(left);
      }
      return closed == null;
    } finally {
      lock.unlock();
    }
  }

  /** Bytes of a class that wait; for the metric. */
  long queued(Priority priority) {
    lock.lock();
    try {
      return queuedBytes[priority.ordinal()];
    } finally {
      lock.unlock();
    }
  }

  /** Everything that counts against the budget now. */
  long total() {
    lock.lock();
    try {
      return total;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether the socket has not taken what it was given for longer than it should: 30 s, and more
   * for a large message on a slow line.
   */
  boolean stalled() {
    lock.lock();
    try {
      return inFlight > 0
          && System.nanoTime() - oldestInFlight
              > TimeUnit.SECONDS.toNanos(30 + inFlight / (128 << 10));
    } finally {
      lock.unlock();
    }
  }

  private static long await(Condition condition, long left) throws InterruptedException {
    if (left == Long.MAX_VALUE) {
      condition.await();
      return left;
    }
    return condition.awaitNanos(left);
  }

  private static long cost(Outgoing message) {
    return message.data().remaining() + OVERHEAD;
  }

  private long limit(int priority) {
    return switch (CLASSES[priority]) {
      case CONTROL -> budget;
      case INTERACTIVE -> budget - budget / 8;
      case BULK -> budget - budget / 4;
    };
  }

  private boolean admits(StreamQueue stream, long bytes, int priority) {
    if (bytes > share) {
      return stream.bytes == 0
          && !oversized
          && (total == 0 || total + Math.min(bytes, share) <= limit(priority));
    }
    return (stream.bytes == 0 || stream.bytes + bytes <= share)
        && (total == 0 || total + bytes <= limit(priority));
  }

  private StreamQueue stream(String name) {
    StreamQueue stream = streams.get(name);
    if (stream == null) {
      stream = new StreamQueue(name, lock.newCondition());
      if (closed == null) {
        streams.put(name, stream);
      }
    }
    return stream;
  }

  private void dropIfUnused(StreamQueue stream) {
    if (stream.bytes == 0 && stream.waiting == 0 && stream.entries.isEmpty()) {
      streams.remove(stream.name, stream);
    }
  }

  private void enqueue(StreamQueue stream, Outgoing message, long bytes, Completion then) {
    Entry entry = new Entry(stream, message, bytes, bytes > share);
    entry.then = then;
    oversized |= entry.oversized;
    stream.entries.add(entry);
    stream.bytes += bytes;
    total += bytes;
    queuedBytes[message.priority().ordinal()] += bytes;
    if (stream.entries.size() == 1) {
      turns.get(message.priority().ordinal()).add(stream);
    }
  }

  /** One sender per class is woken; it wakes the next one if there is room left. */
  private void wakeForRoom() {
    for (int i = 0; i < CLASSES.length; i++) {
      if (waiting[i] > 0 && total < limit(i)) {
        room[i].signal();
      }
    }
  }

  /** Whether nothing goes to the sink for the time being; call {@link #pump} when it may again. */
  void pause(boolean value) {
    lock.lock();
    try {
      paused = value;
    } finally {
      lock.unlock();
    }
  }

  /** Gives the sink what waits, if nobody does so already. */
  void pump() {
    lock.lock();
    try {
      if (pumping) {
        return;
      }
      pumping = true;
    } finally {
      lock.unlock();
    }
    run();
  }

  private void run() {
    for (int written = 0; ; written++) {
      Entry entry;
      boolean more;
      lock.lock();
      try {
        entry = inFlight < IN_FLIGHT && !paused && closed == null ? next() : null;
        if (entry == null) {
          pumping = false;
          return;
        }
        if (inFlight == 0) {
          oldestInFlight = System.nanoTime();
        }
        inFlight += entry.bytes;
        more = inFlight < IN_FLIGHT && anyTurn();
      } finally {
        lock.unlock();
      }
      write(entry, more);
      if (written == RUN) {
        Thread.ofVirtual().name("link-writer").start(this::run);
        return;
      }
    }
  }

  private boolean anyTurn() {
    for (ArrayDeque<StreamQueue> turn : turns) {
      if (!turn.isEmpty()) {
        return true;
      }
    }
    return false;
  }

  private void write(Entry entry, boolean more) {
    meter.waited(
        entry.message.priority(),
        System.nanoTime() - entry.since,
        entry.message.data().remaining());
    try {
      sink.write(entry.message, more, failure -> completed(entry, failure));
    } catch (RuntimeException e) {
      completed(entry, e);
    }
  }

  private Entry next() {
    for (ArrayDeque<StreamQueue> turn : turns) {
      StreamQueue stream = turn.poll();
      if (stream != null) {
        Entry entry = stream.entries.poll();
        queuedBytes[entry.message.priority().ordinal()] -= entry.bytes;
        Entry after = stream.entries.peek();
        if (after != null) {
          turns.get(after.message.priority().ordinal()).add(stream);
        }
        return entry;
      }
    }
    return null;
  }

  private void completed(Entry entry, Throwable failure) {
    lock.lock();
    try {
      inFlight -= entry.bytes;
      oldestInFlight = System.nanoTime();
      if (closed == null) {
        total -= entry.bytes;
        entry.stream.bytes -= entry.bytes;
        if (entry.oversized) {
          oversized = false;
        }
        if (entry.stream.waiting > 0) {
          entry.stream.room.signalAll();
        }
        dropIfUnused(entry.stream);
        wakeForRoom();
        if (total == 0) {
          idle.signalAll();
        }
      }
    } finally {
      lock.unlock();
    }
    if (entry.then != null) {
      entry.then.done(failure);
    }
    pump();
  }
}
