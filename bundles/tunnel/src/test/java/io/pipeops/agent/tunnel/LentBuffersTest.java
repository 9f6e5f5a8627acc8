package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.eclipse.jetty.util.BufferUtil;
import org.junit.jupiter.api.Test;

class LentBuffersTest {
  private final ArrayByteBufferPool pool = new ArrayByteBufferPool(0, 2048, 64 << 10, 64);
  private final LentBuffers buffers = new LentBuffers(pool);

  @Test
  void whoGaveABufferBackCannotEmptyItUnderTheNextBorrower() {
    RetainableByteBuffer first = buffers.acquire(2048, true);
    ByteBuffer kept = first.getByteBuffer();
    assertTrue(first.release());
    RetainableByteBuffer.Mutable second = buffers.acquire(2048, true);
    second.append(BufferUtil.toBuffer("answer"));
    BufferUtil.clear(kept);
    first.clear();
    assertEquals("answer", BufferUtil.toString(second.getByteBuffer(), StandardCharsets.US_ASCII));
    second.release();
  }

  @Test
  void theMemoryIsTheSameAndGoesBackOnceAllHaveLetGo() {
    for (int i = 0; i < 10; i++) {
      RetainableByteBuffer lent = buffers.acquire(2048, true);
      assertEquals(0, lent.remaining());
      assertEquals(2048, lent.capacity());
      lent.retain();
      assertTrue(lent.isRetained());
      lent.release();
      assertTrue(lent.release());
    }
    assertEquals(2048, pool.getDirectMemory());
  }
}
