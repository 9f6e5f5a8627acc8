package io.pipeops.agent.link;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Puts the fragments of one message together, in an array of the message's own that is at most
 * twice its size. The array grows with what has really arrived, so that an announced length
 * allocates nothing.
 */
final class MessageAssembler {
  /** Takes a whole message; the array is never touched again. */
  interface Receiver {
    void message(byte[] data, int length, boolean text);
  }

  private final long longest;
  private final Receiver receiver;
  private byte[] data;
  private int length;
  private boolean text;

  MessageAssembler(long longest, Receiver receiver) {
    this.longest = longest;
    this.receiver = receiver;
  }

  /**
   * Takes the next fragment; the buffer is read, not kept.
   *
   * @return false if the message is longer than allowed; what came of it is dropped
   */
  boolean fragment(ByteBuffer payload, boolean first, boolean textMessage, boolean last) {
    if (first) {
      text = textMessage;
      length = 0;
      data = null;
    }
    int more = payload.remaining();
    if ((long) length + more > longest) {
      data = null;
      return false;
    }
    if (data == null) {
      data = new byte[last ? more : 2 * more];
    } else if (data.length - length < more) {
      long size = Math.max(2L * data.length, (long) length + more);
      data = Arrays.copyOf(data, (int) Math.min(Math.max(longest, length + more), size));
    }
    payload.get(data, length, more);
    length += more;
    if (last) {
      byte[] whole = data;
      data = null;
      receiver.message(whole, length, text);
    }
    return true;
  }
}
