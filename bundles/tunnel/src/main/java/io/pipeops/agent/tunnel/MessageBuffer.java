package io.pipeops.agent.tunnel;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Puts the pieces of a fragmented message together, within a limit and the budget. */
final class MessageBuffer implements AutoCloseable {
  private final int limit;
  private final ByteBudget.Share memory;
  private byte[] bytes = new byte[0];
  private int size;
  private byte opcode;

  MessageBuffer(int limit, ByteBudget budget) {
    this.limit = limit;
    this.memory = budget.new Share();
  }

  boolean empty() {
    return opcode == 0;
  }

  /** The kind of the message, which its first piece told. */
  byte opcode() {
    return opcode;
  }

  void add(byte kind, ByteBuffer piece) throws Failure {
    int needed = size + piece.remaining();
    if (needed > limit) {
      throw new Failure(
          Failure.Reason.MEMORY, "message of more than " + limit + " bytes from the target");
    }
    if (needed > bytes.length) {
      int capacity = Math.min(limit, Math.max(needed, bytes.length * 2));
      if (!memory.take(capacity - bytes.length)) {
        throw new Failure(Failure.Reason.MEMORY, "no memory left for a message of the target");
      }
      bytes = Arrays.copyOf(bytes, capacity);
    }
    int length = piece.remaining();
    piece.duplicate().get(bytes, size, length);
    size += length;
    if (opcode == 0) {
      opcode = kind;
    }
  }

  ByteBuffer whole() {
    return ByteBuffer.wrap(bytes, 0, size);
  }

  void clear() {
    size = 0;
    opcode = 0;
    bytes = new byte[0];
    memory.close();
  }

  @Override
  public void close() {
    clear();
  }
}
