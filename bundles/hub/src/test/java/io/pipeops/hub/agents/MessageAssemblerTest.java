package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageAssemblerTest {
  private final MessageAssembler assembler = new MessageAssembler(1 << 20);

  @Test
  void messagesAreWholeHoweverTheyAreCut() throws Exception {
    Random random = new Random(7);
    byte[] last = null;
    byte[] expected = null;
    for (int i = 0; i < 2_000; i++) {
      byte[] message = new byte[random.nextInt(random.nextBoolean() ? 100 : 200_000)];
      random.nextBytes(message);
      byte[] got = null;
      int at = 0;
      while (got == null) {
        int size =
            Math.min(message.length - at, random.nextInt(random.nextBoolean() ? 50 : 70_000));
        boolean end = at + size == message.length && random.nextBoolean();
        got = assembler.add(ByteBuffer.wrap(message, at, size), end);
        at += size;
      }
      assertArrayEquals(message, got);
      if (last != null) {
        assertArrayEquals(expected, last, "nobody else has the former message");
      }
      last = got;
      expected = message;
    }
  }

  @Test
  void noFragmentIsNone() throws Exception {
    assertNull(assembler.add(null, false));
    assertArrayEquals(new byte[0], assembler.add(null, true));
  }

  @Test
  void whatIsTooLongIsRefused() throws Exception {
    assertNotNull(assembler.add(ByteBuffer.allocate(1 << 20), true));
    assertNull(assembler.add(ByteBuffer.allocate(1 << 19), false));
    assertNull(assembler.add(ByteBuffer.allocate(1 << 19), false));
    assertThrows(
        MessageAssembler.TooLongException.class, () -> assembler.add(ByteBuffer.allocate(1), true));
  }
}
