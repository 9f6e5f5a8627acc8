package io.pipeops.agent.protocol.resume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.ProtocolException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReplayLogTest {
  private final ReplayLog<String> log = new ReplayLog<>(1000);

  @Test
  void keepsWhatIsNotAcknowledged() throws Exception {
    log.add("a", 1);
    log.add("b", 1);
    log.add("c", 1);
    assertEquals(3 * 65, log.bytes());
    assertEquals(65, log.acknowledge(1));
    assertEquals(List.of("b", "c"), log.after(1));
    assertEquals(List.of("c"), log.after(2));
    assertEquals(1, log.size());
    assertEquals(0, log.acknowledge(2));
  }

  @Test
  void isFullWhenItsLimitIsReached() throws Exception {
    log.add("a", 1000 - 64);
    assertTrue(log.full());
    log.acknowledge(1);
    assertFalse(log.full());
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    log.add("a", 1);
    log.add("b", 1);
    assertThrows(ProtocolException.class, () -> log.acknowledge(3));
    assertThrows(ProtocolException.class, () -> log.acknowledge(-1));
    assertThrows(ProtocolException.class, () -> log.after(3));
    log.acknowledge(2);
    assertThrows(ProtocolException.class, () -> log.after(1));
    assertThrows(ProtocolException.class, () -> log.after(Long.MAX_VALUE));
  }

  @Test
  void anOldAcknowledgementThatWasOvertakenIsHarmless() throws Exception {
    log.add("a", 1);
    log.add("b", 1);
    log.acknowledge(2);
    assertEquals(0, log.acknowledge(1));
    assertEquals(0, log.bytes());
  }

  @Test
  void acknowledgementsAreDueByBytes() {
    Receipts receipts = new Receipts();
    assertFalse(receipts.received(Receipts.EVERY - 2 * 64 - 1));
    assertTrue(receipts.received(1));
    assertEquals(2, receipts.acknowledge());
    assertFalse(receipts.received(1));
    assertEquals(3, receipts.count());
  }

  /** One side of the model: sends numbers, wants to receive numbers in order. */
  private static final class Side {
    final ReplayLog<int[]> log = new ReplayLog<>(Receipts.EVERY * 4L);
    final Receipts receipts = new Receipts();

    /** What is under way to the other side: messages, or acknowledgements as negative numbers. */
    final ArrayDeque<int[]> wire = new ArrayDeque<>();

    final ArrayDeque<Long> acks = new ArrayDeque<>();
    int next;
    int expected;

    void send(Random random) {
      if (!log.full()) {
        int[] message = {next++, random.nextInt(Receipts.EVERY)};
        log.add(message, message[1]);
        wire.add(message);
      }
    }

    /** Takes one thing from the wire of the other side. */
    void take(Side other) throws ProtocolException {
      if (!other.acks.isEmpty() && other.acks.size() >= other.wire.size()) {
        log.acknowledge(other.acks.remove());
        return;
      }
      int[] message = other.wire.poll();
      if (message != null) {
        assertEquals(expected++, message[0]);
        if (receipts.received(message[1])) {
          acks.add(receipts.acknowledge());
        }
      }
    }
  }

  /**
   * Cuts lose what is under way from a random place on, on both ways, as a cut at any byte does.
   */
  @Test
  void bothSidesAgreeAfterAnySequenceOfCuts() throws Exception {
    int cuts = 0;
    for (int seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      Side agent = new Side();
      Side hub = new Side();
      for (int step = 0; step < 400; step++) {
        switch (random.nextInt(20)) {
          case 0 -> {
            cuts++;
            // Some of what was under way still arrives, then nothing does.
            for (int i = random.nextInt(5); i > 0; i--) {
              agent.take(hub);
            }
            for (int i = random.nextInt(5); i > 0; i--) {
              hub.take(agent);
            }
            agent.wire.clear();
            hub.wire.clear();
            agent.acks.clear();
            hub.acks.clear();
            long agentHas = agent.receipts.acknowledge();
            long hubHas = hub.receipts.acknowledge();
            // The new connection may be cut again before the rest was sent again.
            List<int[]> fromHub = new ArrayList<>(hub.log.after(agentHas));
            List<int[]> fromAgent = new ArrayList<>(agent.log.after(hubHas));
            hub.wire.addAll(fromHub);
            agent.wire.addAll(fromAgent);
          }
          case 1, 2, 3, 4 -> agent.send(random);
          case 5, 6, 7, 8 -> hub.send(random);
          case 9, 10, 11, 12, 13 -> agent.take(hub);
          default -> hub.take(agent);
        }
      }
      while (hub.expected < agent.next || agent.expected < hub.next) {
        agent.take(hub);
        hub.take(agent);
      }
      assertEquals(agent.next, hub.expected);
      assertEquals(hub.next, agent.expected);
    }
    assertTrue(cuts > 5000, "" + cuts);
  }
}
