package io.pipeops.agent.tunnel;

import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.ByteBufferPool;
import org.eclipse.jetty.io.RetainableByteBuffer;

/**
 * Lends the pool's memory as a view that is new each time, so that position and limit belong to one
 * borrower.
 *
 * <p>The HTTP client clears the buffer of a connection that was disposed of on a second thread, and
 * may do so after it gave the buffer back; with the pool's own buffer that would empty, in the
 * middle of a read, the answer on another connection.
 */
final class LentBuffers extends ByteBufferPool.Wrapper {

  LentBuffers(ArrayByteBufferPool pool) {
    super(pool);
  }

  @Override
  public RetainableByteBuffer.Mutable acquire(int size, boolean direct) {
    RetainableByteBuffer.Mutable owned = super.acquire(size, direct);
    return RetainableByteBuffer.wrap(owned.getByteBuffer().duplicate(), owned);
  }
}
