package io.pipeops.agent.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** The large answers of one target: how many are under way, and how much has been written. */
final class Large {
  static final int SIZE = 64 << 20;

  private final AtomicInteger underWay = new AtomicInteger();
  private final AtomicLong written = new AtomicLong();

  void write(OutputStream out) throws IOException {
    byte[] block = new byte[1 << 16];
    underWay.incrementAndGet();
    try {
      for (int sent = 0; sent < SIZE; sent += block.length) {
        out.write(block);
        written.addAndGet(block.length);
      }
    } finally {
      underWay.decrementAndGet();
    }
  }

  int underWay() {
    return underWay.get();
  }

  /** Bytes of all answers since the start. */
  long written() {
    return written.get();
  }
}
