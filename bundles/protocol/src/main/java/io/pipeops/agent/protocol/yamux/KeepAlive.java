package io.pipeops.agent.protocol.yamux;

/**
 * Pings the peer, measures the round trip and tells when the peer is silent. It also looks after
 * streams that are half-closed for too long. One waiting virtual thread per session.
 */
final class KeepAlive {
  private final YamuxSession session;
  private final YamuxSettings settings;
  private Thread thread;

  // Guarded by this.
  private int value;
  private boolean pending;
  private long sentAt;
  private long dueAt;
  private boolean stopped;

  /**
   * The shortest of late, for a longer one waited somewhere: windows that grew by such would hold
   * more than the line can. It rises slowly, because the line may have become longer.
   */
  private volatile long roundTrip;

  private volatile long heardAt = System.nanoTime();

  KeepAlive(YamuxSession session, YamuxSettings settings) {
    this.session = session;
    this.settings = settings;
  }

  void start() {
    thread = Thread.ofVirtual().name("yamux-keepalive").start(this::run);
  }

  private void run() {
    boolean pings = settings.keepAlive().isPositive();
    long next = System.nanoTime() + settings.keepAlive().toNanos();
    try {
      while (pause(pings ? next - System.nanoTime() : Long.MAX_VALUE)) {
        session.resetHalfClosed();
        long now = System.nanoTime();
        if (pings && now - next >= 0) {
          ping();
          next = now + settings.keepAlive().toNanos();
        }
        if (silent(now)) {
          session.unanswered();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for the next thing that is due; false when stopped. */
  private synchronized boolean pause(long nanos) throws InterruptedException {
    long wait = Math.min(nanos, Math.min(settings.halfClosed().toNanos(), 60_000_000_000L));
    if (pending) {
      wait = Math.min(wait, dueAt - System.nanoTime());
    }
    if (!stopped && wait > 0) {
      wait(wait / 1_000_000 + 1);
    }
    return !stopped;
  }

  /** Pings unless an answer is still due. */
  void ping() {
    int sent;
    synchronized (this) {
      if (pending || stopped) {
        return;
      }
      pending = true;
      sent = ++value;
      sentAt = System.nanoTime();
      dueAt = sentAt + settings.timeout().toNanos();
      notifyAll();
    }
    session.offer(FrameHeader.frame(FrameHeader.PING, FrameHeader.SYN, 0, sent));
  }

  /** Whether a ping is overdue and nothing else was heard of the peer either. */
  private synchronized boolean silent(long now) {
    if (!pending || now - dueAt < 0) {
      return false;
    }
    long limit = settings.timeout().toNanos();
    if (now - heardAt < limit) {
      // Busy rather than dead: the answer waits behind data.
      dueAt = heardAt + limit;
      return false;
    }
    return true;
  }

  void heard() {
    heardAt = System.nanoTime();
  }

  synchronized void answered(int answer) {
    if (pending && answer == value) {
      pending = false;
      roundTrip = shortest(roundTrip, Math.max(1, System.nanoTime() - sentAt));
    }
  }

  /** The next value after one, or after 0 for none. */
  static long shortest(long before, long measured) {
    return before == 0 ? measured : Math.min(measured, before + before / 4 + 1);
  }

  long roundTripNanos() {
    return roundTrip;
  }

  synchronized void stop() {
    stopped = true;
    notifyAll();
  }
}
