package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memory stays bounded and urgent messages overtake when the peer stops reading. */
@Timeout(180)
class SlowReaderTest {
  private final TestLink link = new TestLink();
  private ScriptedPeer controller;
  private ScriptedPeer.Peer peer;

  private Reply open() throws Exception {
    controller = new ScriptedPeer();
    BlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    LinkHandler handler = (message, reply) -> replies.add(reply);
    link.runtime.handlers().put("h", handler, Map.of(LinkHandler.TYPES, "x.go"));
    link.start(controller.url());
    peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    peer.text("{\"type\":\"x.go\"}");
    Reply reply = replies.poll(60, TimeUnit.SECONDS);
    assertNotNull(reply);
    return reply;
  }

  @AfterEach
  void stop() throws Exception {
    link.close();
    controller.close();
  }

  private static Outgoing numbered(Priority priority, String stream, int number, int size) {
    ByteBuffer data = ByteBuffer.allocate(size);
    data.putInt(0, Integer.parseInt(stream));
    data.putInt(4, number);
    return new Outgoing(priority, stream, false, data);
  }

  @Test
  void boundsWhatQueuesAndLetsUrgentMessagesOvertake() throws Exception {
    Reply reply = open();
    peer.reading(false);
    AtomicLong admitted = new AtomicLong();
    List<Thread> producers = new ArrayList<>();
    for (int p = 0; p < 40; p++) {
      String stream = Integer.toString(p);
      producers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < 20; i++) {
                        reply.send(numbered(Priority.BULK, stream, i, 32 << 10));
                        admitted.addAndGet(32 << 10);
                      }
                    } catch (LinkLostException | InterruptedException e) {
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
    double queued = link.metrics.gauge("pipeops_agent_link_queued_bytes", "class", "bulk");
    assertTrue(queued > 1 << 20 && queued <= 4 << 20, () -> "queued " + queued);
    assertTrue(admitted.get() < 20 << 20, () -> "admitted " + admitted);
    reply.send(Outgoing.text(Priority.INTERACTIVE, "shell", "{\"type\":\"key\"}"));
    assertTrue(reply.offer(Outgoing.text(Priority.CONTROL, "", "{\"type\":\"beat\"}")));
    peer.reading(true);
    Map<Integer, Integer> seen = new HashMap<>();
    int bulkBefore = 0;
    List<String> urgent = new ArrayList<>();
    for (int i = 0; i < 802; i++) {
      var received = peer.receive();
      if (received.opcode() == 1) {
        urgent.add(received.text());
        continue;
      }
      bulkBefore += urgent.size() < 2 ? received.data().length : 0;
      ByteBuffer data = ByteBuffer.wrap(received.data());
      assertEquals(seen.merge(data.getInt(0), 1, Integer::sum) - 1, data.getInt(4));
    }
    assertEquals(2, urgent.size());
    // Only what had left the queue already, into the buffers of the two sockets, is ahead of them.
    assertTrue(
        bulkBefore <= admitted.get() - queued + (128 << 10), () -> "ahead of the urgent ones");
    for (Thread producer : producers) {
      producer.join();
    }
    TestLink.await(
        () -> link.metrics.gauge("pipeops_agent_link_queued_bytes", "class", "bulk") == 0,
        () -> "not drained");
  }

  @Test
  void keepsReadingWhileNothingCanBeSent() throws Exception {
    Reply reply = open();
    BlockingQueue<String> handled = new LinkedBlockingQueue<>();
    LinkHandler handler = (message, back) -> handled.add(message.requestId());
    link.runtime.handlers().put("h2", handler, Map.of(LinkHandler.TYPES, "x.in"));
    peer.reading(false);
    Thread producer =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    for (int i = 0; i < 10_000; i++) {
                      reply.send(numbered(Priority.BULK, "1", i, 32 << 10));
                    }
                  } catch (LinkLostException | InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
    TestLink.await(() -> producer.getState() == Thread.State.WAITING, () -> "not blocked");
    for (int i = 0; i < 1000; i++) {
      peer.text("{\"type\":\"x.in\",\"request_id\":\"" + i + "\"}");
    }
    for (int i = 0; i < 1000; i++) {
      assertEquals(Integer.toString(i), handled.poll(60, TimeUnit.SECONDS));
    }
    producer.interrupt();
  }
}
