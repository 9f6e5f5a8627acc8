package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Random;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OpCode;
import org.junit.jupiter.api.Test;

/** Masks as RFC 6455 5.3 says, for every length, and keeps neither payload nor memory. */
class MaskedFrameTest {
  private final Random random = new Random(7);
  private final ArrayByteBufferPool.Tracking pool = new ArrayByteBufferPool.Tracking();

  private ByteBuffer payload(int length) {
    byte[] bytes = new byte[length + 5];
    random.nextBytes(bytes);
    return ByteBuffer.wrap(bytes, 3, length);
  }

  private static byte[] bytes(ByteBuffer data) {
    byte[] bytes = new byte[data.remaining()];
    data.duplicate().get(bytes);
    return bytes;
  }

  @Test
  void everyLengthIsMaskedAndThePayloadStaysAsItWas() {
    for (int length = 1024; length < 1060; length++) {
      check(length);
    }
    check(32 << 10);
    check((1 << 20) + 3);
    assertTrue(pool.getLeaks().isEmpty(), pool::dumpLeaks);
  }

  private void check(int length) {
    ByteBuffer payload = payload(length);
    byte[] before = bytes(payload);
    byte[] key = new byte[4];
    random.nextBytes(key);
    Frame frame = MaskedFrame.of(OpCode.BINARY, payload, pool);
    assertFalse(frame.isMasked());
    frame.setMask(key);
    // The header is made first; from then on nobody else must mask the payload.
    assertTrue(frame.isMasked());
    assertEquals(length, frame.getPayloadLength());
    assertArrayEquals(key, frame.getMask());
    assertFalse(frame.isMasked());
    byte[] sent = bytes(frame.getPayload());
    mask(sent, key);
    assertArrayEquals(before, sent, () -> "length " + length);
    assertArrayEquals(before, bytes(payload));
    frame.getPayload().position(frame.getPayload().limit());
    MaskedFrame.release(frame);
    MaskedFrame.release(frame);
  }

  private static void mask(byte[] data, byte[] key) {
    for (int i = 0; i < data.length; i++) {
      data[i] ^= key[i % 4];
    }
  }

  @Test
  void shortOnesAreLeftToJetty() {
    Frame frame = MaskedFrame.of(OpCode.TEXT, payload(1023), pool);
    assertEquals(Frame.class, frame.getClass());
    assertEquals(OpCode.TEXT, frame.getOpCode());
    MaskedFrame.release(frame);
  }

  @Test
  void oneThatIsNeverSentHoldsNothing() {
    Frame frame = MaskedFrame.of(OpCode.BINARY, payload(2000), pool);
    MaskedFrame.release(frame);
    assertTrue(pool.getLeaks().isEmpty(), pool::dumpLeaks);
  }
}
