package io.pipeops.agent.protocol.resume;

/** How many messages one side has received, and when to say so. Not safe for several threads. */
public final class Receipts {
  /**
   * So much may be received before it is acknowledged. Small against any replay log, so that the
   * peer never waits for an acknowledgement that is not on its way; large against the message that
   * carries it.
   */
  public static final int EVERY = 128 << 10;

  private long count;
  private long owed;

  /**
   * Counts a message that was received whole.
   *
   * @return whether it is time to acknowledge
   */
  public boolean received(int size) {
    count++;
    owed += size + ReplayLog.OVERHEAD;
    return owed >= EVERY;
  }

  /** How many messages were received in all. */
  public long count() {
    return count;
  }

  /** The count to acknowledge now. */
  public long acknowledge() {
    owed = 0;
    return count;
  }
}
