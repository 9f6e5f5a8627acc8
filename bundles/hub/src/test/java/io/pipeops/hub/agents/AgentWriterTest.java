package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.metrics.Metrics;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleSupplier;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The order of what is sent, with senders that have to wait. */
@Timeout(60)
class AgentWriterTest {
  private static final int STREAMS = 6;
  private static final int MESSAGES = 6000;

  private final ExecutorService socket = Executors.newSingleThreadExecutor();
  private final int[] next = new int[STREAMS];
  private final CompletableFuture<String> result = new CompletableFuture<>();

  @AfterEach
  void stop() {
    socket.shutdownNow();
  }

  /** Takes a message at a time, later, and checks the number that it carries. */
  private final class Socket extends CoreSession.Empty {
    @Override
    public void sendFrame(OutgoingEntry entry) {
      socket.execute(
          () -> {
            ByteBuffer data = entry.getFrame().getPayload();
            int stream = data.getInt();
            int number = data.getInt();
            if (next[stream] != number) {
              result.complete(
                  "stream " + stream + ": message " + number + " instead of " + next[stream]);
            }
            next[stream] = number + 1;
            int sent = 0;
            for (int one : next) {
              sent += one;
            }
            if (sent == STREAMS * MESSAGES) {
              result.complete("in order");
            }
            entry.getCallback().succeeded();
          });
    }
  }

  @Test
  void aShortMessageNeverOvertakesALongOneOfItsStream() throws Exception {
    AgentWriter writer = new AgentWriter(new AgentMetrics(null), 1 << 20, failed -> {});
    writer.open(new Socket());
    List<Thread> senders = new ArrayList<>();
    for (int i = 0; i < STREAMS; i++) {
      int stream = i;
      senders.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    Random random = new Random(stream);
                    try {
                      for (int number = 0; number < MESSAGES; number++) {
                        // Long ones fill the stream's share, and the sender waits for room.
                        int size = random.nextInt(3) == 0 ? 20 : 16 << 10;
                        ByteBuffer message = ByteBuffer.allocate(size);
                        message.putInt(0, stream).putInt(4, number);
                        assertTrue(writer.frame("s" + stream, message));
                      }
                    } catch (InterruptedException e) {
                      Thread.currentThread().interrupt();
                    }
                  }));
    }
    try {
      assertEquals("in order", result.get(50, TimeUnit.SECONDS));
    } finally {
      writer.close();
      for (Thread sender : senders) {
        sender.join();
      }
    }
  }

  /** Holds what it is given until it is told to go on. */
  private static final class SlowSocket extends CoreSession.Empty {
    private final ArrayDeque<Callback> held = new ArrayDeque<>();

    @Override
    public void sendFrame(OutgoingEntry entry) {
      held.add(entry.getCallback());
    }

    void goOn() {
      while (!held.isEmpty()) {
        held.remove().succeeded();
      }
    }
  }

  /** Remembers the times that were recorded, by class. */
  private static final class Waits implements Metrics {
    private final Map<String, List<Double>> seconds = new HashMap<>();

    @Override
    public Counter counter(String name, String help, String... labels) {
      return amount -> {};
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      assertEquals("pipeops_hub_agent_wait_seconds", name);
      assertEquals("class", labels[0]);
      List<Double> of = seconds.computeIfAbsent(labels[1], key -> new ArrayList<>());
      return of::add;
    }
  }

  @Test
  void whatWaitsIsMeasuredByItsClass() throws Exception {
    Waits waits = new Waits();
    SlowSocket slow = new SlowSocket();
    AgentWriter writer = new AgentWriter(new AgentMetrics(waits), 1 << 20, failed -> {});
    writer.open(slow);
    assertTrue(writer.controlFrame(ByteBuffer.allocate(12)));
    assertTrue(writer.frame("body", ByteBuffer.allocate(16 << 10)));
    assertTrue(writer.frame("key", ByteBuffer.allocate(20)));
    assertTrue(writer.control(ByteBuffer.allocate(100)));
    // The first is on its way and the others wait behind it, for as long as it takes.
    assertEquals(1, waits.seconds.get("control").size());
    long since = System.nanoTime();
    while (System.nanoTime() - since < 2_000_000) {
      Thread.onSpinWait();
    }
    slow.goOn();
    assertEquals(2, waits.seconds.get("control").size());
    assertEquals(1, waits.seconds.get("interactive").size());
    assertEquals(1, waits.seconds.get("bulk").size());
    assertTrue(waits.seconds.get("control").get(1) >= 0.002, waits.seconds::toString);
    assertTrue(waits.seconds.get("interactive").get(0) >= 0.002, waits.seconds::toString);
    assertTrue(waits.seconds.get("bulk").get(0) >= 0.002, waits.seconds::toString);
    writer.close();
  }
}
