package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.link.OutboundScheduler.Completion;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class OutboundSchedulerTest {
  private static final long BUDGET = 1 << 20;
  private static final long SHARE = 64 << 10;

  /** A socket that takes a message only when the test says so. */
  private static final class SlowSink implements OutboundScheduler.Sink {
    final ArrayDeque<Outgoing> messages = new ArrayDeque<>();
    final ArrayDeque<Completion> completions = new ArrayDeque<>();
    final List<Boolean> hints = new ArrayList<>();

    @Override
    public synchronized void write(Outgoing message, boolean more, Completion done) {
      hints.add(more);
      messages.add(message);
      completions.add(done);
    }

    synchronized int inFlight() {
      return completions.size();
    }

    String next() {
      Outgoing message;
      Completion done;
      synchronized (this) {
        message = messages.poll();
        done = completions.poll();
      }
      if (message == null) {
        return "";
      }
      done.done(null);
      return message.stream();
    }

    List<String> drain() {
      List<String> order = new ArrayList<>();
      for (String next = next(); !next.isEmpty(); next = next()) {
        order.add(next);
      }
      return order;
    }
  }

  private final SlowSink sink = new SlowSink();
  private final OutboundScheduler scheduler =
      new OutboundScheduler(BUDGET, SHARE, sink, (priority, nanos, bytes) -> {});

  private static Outgoing message(Priority priority, String stream, int bytes) {
    return new Outgoing(priority, stream, false, ByteBuffer.allocate(bytes));
  }

  private void send(Priority priority, String stream, int bytes) throws Exception {
    scheduler.send(message(priority, stream, bytes), null);
  }

  /** Fills what may be under way, so that everything else queues. */
  private void block() throws Exception {
    send(Priority.CONTROL, "blocker", (64 << 10) - 64);
    assertEquals(1, sink.inFlight());
  }

  @Test
  void classesAreStrictAndStreamsTakeTurns() throws Exception {
    block();
    for (int i = 0; i < 3; i++) {
      send(Priority.BULK, "b1", 100);
    }
    for (int i = 0; i < 3; i++) {
      send(Priority.BULK, "b2", 100);
    }
    send(Priority.INTERACTIVE, "i1", 100);
    send(Priority.INTERACTIVE, "i1", 100);
    send(Priority.INTERACTIVE, "i2", 100);
    assertTrue(scheduler.offer(message(Priority.CONTROL, "c", 100), null));
    assertEquals(
        List.of("blocker", "c", "i1", "i2", "i1", "b1", "b2", "b1", "b2", "b1", "b2"),
        sink.drain());
    assertEquals(0, scheduler.total());
  }

  @Test
  void messagesGivenTogetherReachTheSocketTogether() throws Exception {
    scheduler.send(
        List.of(
            message(Priority.INTERACTIVE, "a", 100),
            message(Priority.INTERACTIVE, "a", 200),
            message(Priority.INTERACTIVE, "a", 300)));
    assertEquals(List.of(true, true, false), sink.hints);
    assertEquals(List.of("a", "a", "a"), sink.drain());
    assertEquals(0, scheduler.total());
  }

  @Test
  void nothingIsPromisedThatMustWaitForTheSocket() throws Exception {
    send(Priority.BULK, "a", (32 << 10) - 64);
    scheduler.send(
        List.of(message(Priority.BULK, "b", (32 << 10) - 64), message(Priority.BULK, "b", 10)));
    assertEquals(2, sink.inFlight());
    assertEquals(List.of(false, false), sink.hints);
    assertEquals(List.of("a", "b", "b"), sink.drain());
    assertEquals(0, scheduler.total());
  }

  @Test
  void nothingGoesOutWhileItIsPaused() throws Exception {
    scheduler.pause(true);
    send(Priority.CONTROL, "a", 10);
    assertEquals(0, sink.inFlight());
    scheduler.pause(false);
    scheduler.pump();
    assertEquals(List.of("a"), sink.drain());
  }

  @Test
  void messagesGivenTogetherWaitForRoomOneByOne() throws Exception {
    send(Priority.BULK, "a", 40 << 10);
    Thread sender =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    scheduler.send(
                        List.of(
                            message(Priority.BULK, "a", 20 << 10),
                            message(Priority.BULK, "a", 30 << 10)));
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                });
    TestLink.await(() -> scheduler.total() > 60 << 10, () -> "" + scheduler.total());
    List<String> order = new ArrayList<>();
    TestLink.await(
        () -> {
          String next = sink.next();
          if (!next.isEmpty()) {
            order.add(next);
          }
          return order.size() == 3;
        },
        order::toString);
    assertTrue(sender.join(Duration.ofSeconds(10)));
    assertEquals(0, scheduler.total());
  }

  @Test
  void aStreamKeepsItsOrderOverClasses() throws Exception {
    block();
    List<Integer> sizes = new ArrayList<>();
    send(Priority.CONTROL, "s", 1);
    send(Priority.BULK, "s", 2);
    send(Priority.BULK, "s", 3);
    send(Priority.CONTROL, "s", 4);
    sink.next();
    while (true) {
      int size;
      synchronized (sink) {
        if (sink.messages.isEmpty()) {
          break;
        }
        size = sink.messages.peek().data().remaining();
      }
      sizes.add(size);
      sink.next();
    }
    assertEquals(List.of(1, 2, 3, 4), sizes);
  }

  @Test
  void aStreamWaitsForItsShareOnly() throws Exception {
    block();
    send(Priority.BULK, "fat", 60_000);
    CountDownLatch done = new CountDownLatch(1);
    Thread waiting =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    send(Priority.BULK, "fat", 60_000);
                    done.countDown();
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                });
    TestLink.await(() -> waiting.getState() == Thread.State.WAITING, () -> "" + waiting.getState());
    send(Priority.BULK, "thin", 60_000);
    assertEquals(1, done.getCount());
    sink.next();
    sink.next();
    assertTrue(done.await(60, TimeUnit.SECONDS));
  }

  @Test
  void aHigherClassNeverWaitsForRoomThatALowerOneTook() throws Exception {
    block();
    AtomicInteger admitted = new AtomicInteger();
    List<Thread> producers = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      String stream = "b" + i;
      producers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      send(Priority.BULK, stream, 60_000);
                      admitted.incrementAndGet();
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  }));
    }
    TestLink.await(
        () ->
            producers.stream()
                .allMatch(
                    t ->
                        t.getState() == Thread.State.WAITING
                            || t.getState() == Thread.State.TERMINATED),
        () -> "still running");
    assertTrue(admitted.get() < 20, () -> "admitted " + admitted);
    scheduler.send(message(Priority.INTERACTIVE, "key", 1000), null, 0);
    assertTrue(scheduler.offer(message(Priority.CONTROL, "beat", 1000), null));
    assertEquals(List.of("blocker", "beat", "key"), sink.drain().subList(0, 3));
    TestLink.await(
        () -> {
          sink.drain();
          return admitted.get() == 40;
        },
        () -> "admitted " + admitted);
  }

  @Test
  void oneMessageLargerThanTheShareAtATime() throws Exception {
    block();
    scheduler.send(message(Priority.BULK, "big1", 600_000), null, 0);
    assertThrows(
        TimeoutException.class,
        () -> scheduler.send(message(Priority.BULK, "big2", 600_000), null, 1_000_000));
    sink.drain();
    scheduler.send(message(Priority.BULK, "big2", 8 << 20), null, 0);
    assertEquals(List.of("big2"), sink.drain());
  }

  @Test
  void offersAreBounded() throws Exception {
    block();
    int taken = 0;
    while (scheduler.offer(message(Priority.CONTROL, "", 1000), null)) {
      taken++;
    }
    assertTrue(taken > 800 && taken < 1100, "taken " + taken);
    assertTrue(scheduler.total() <= BUDGET);
  }

  @Test
  void closingWakesEverybody() throws Exception {
    block();
    ConcurrentLinkedQueue<Throwable> ends = new ConcurrentLinkedQueue<>();
    scheduler.send(message(Priority.BULK, "s", 60_000), ends::add);
    List<Thread> producers = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      producers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      send(Priority.BULK, "s", 60_000);
                    } catch (Exception e) {
                      ends.add(e);
                    }
                  }));
    }
    TestLink.await(
        () -> producers.stream().allMatch(t -> t.getState() == Thread.State.WAITING),
        () -> "still running");
    scheduler.close("gone");
    for (Thread producer : producers) {
      producer.join();
    }
    assertEquals(11, ends.size());
    ends.forEach(e -> assertInstanceOf(LinkLostException.class, e));
    assertFalse(scheduler.offer(message(Priority.CONTROL, "", 1), null));
    assertThrows(LinkLostException.class, () -> send(Priority.BULK, "s", 1));
    sink.drain();
    assertEquals(0, scheduler.total());
  }

  @Test
  void anInterruptedSenderLeavesNothingBehind() throws Exception {
    block();
    send(Priority.BULK, "s", 60_000);
    Thread waiting =
        Thread.ofVirtual()
            .start(
                () ->
                    assertThrows(
                        InterruptedException.class, () -> send(Priority.BULK, "s", 60_000)));
    TestLink.await(() -> waiting.getState() == Thread.State.WAITING, () -> "" + waiting.getState());
    waiting.interrupt();
    waiting.join();
    assertEquals(List.of("blocker", "s"), sink.drain());
    assertTrue(scheduler.awaitIdle(0));
  }

  /** Many producers on a socket that completes now and then on another thread. */
  @Test
  void keepsOrderAndBudgetUnderLoad() throws Exception {
    Map<String, Integer> seen = new HashMap<>();
    AtomicLong most = new AtomicLong();
    AtomicInteger disorder = new AtomicInteger();
    OutboundScheduler[] it = new OutboundScheduler[1];
    OutboundScheduler loaded =
        new OutboundScheduler(
            256 << 10,
            16 << 10,
            (message, more, done) -> {
              int number = message.data().getInt(0);
              synchronized (seen) {
                Integer before = seen.put(message.stream(), number);
                if ((before == null ? -1 : before) + 1 != number) {
                  disorder.incrementAndGet();
                }
              }
              most.accumulateAndGet(it[0].total(), Math::max);
              if (number % 3 == 0) {
                Thread.ofVirtual().start(() -> done.done(null));
              } else {
                done.done(null);
              }
            },
            (priority, nanos, bytes) -> {});
    it[0] = loaded;
    List<Thread> producers = new ArrayList<>();
    for (int p = 0; p < 24; p++) {
      String stream = "s" + p;
      Random random = new Random(p);
      producers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < 400; i++) {
                        ByteBuffer data = ByteBuffer.allocate(4 + random.nextInt(20_000));
                        data.putInt(0, i);
                        loaded.send(
                            new Outgoing(Priority.values()[random.nextInt(3)], stream, false, data),
                            null);
                      }
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  }));
    }
    for (Thread producer : producers) {
      producer.join();
    }
    assertTrue(loaded.awaitIdle(TimeUnit.SECONDS.toNanos(60)));
    assertEquals(0, disorder.get());
    assertEquals(24, seen.size());
    seen.values().forEach(last -> assertEquals(399, last));
    assertTrue(most.get() <= (256 << 10) + (32 << 10), () -> "most " + most);
    assertEquals(0, loaded.total());
    for (Priority priority : Priority.values()) {
      assertEquals(0, loaded.queued(priority));
    }
  }
}
