package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.link.LinkSettings.Resume;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.LinkResume;
import io.pipeops.agent.protocol.LinkResumed;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.Pong;
import io.pipeops.agent.protocol.ResumeOffer;
import io.pipeops.agent.protocol.resume.Receipts;
import io.pipeops.agent.protocol.resume.ReplayLog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A connection outlives its sockets; the hub's side is played by the test. */
@Timeout(300)
class ResumeTest {
  private static final Duration WAIT = Duration.ofSeconds(30);

  private final TestLink link = new TestLink();
  private final ReplayLog<byte[]> sent = new ReplayLog<>(1 << 20);
  private final Receipts received = new Receipts();
  private ScriptedPeer controller;
  private ScriptedPeer.Peer peer;
  private int lostWrites;

  @BeforeEach
  void listen() throws Exception {
    controller = new ScriptedPeer();
  }

  @AfterEach
  void stop() throws Exception {
    link.close();
    controller.close();
  }

  private Set<String> connect(Resume settings) throws Exception {
    LinkSettings base = TestLink.settings(controller.url());
    link.start(new LinkSettings(base.peer(), base.timing(), base.limits(), settings));
    peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    Map<String, Object> extra = new LinkedHashMap<>(Extensions.fields(Set.of(Extensions.RESUME)));
    extra.putAll(new ResumeOffer("s-1", "hidden", Duration.ofMinutes(1)).fields());
    peer.send("", new GatewayHello(true, 256 << 10, Duration.ofHours(1), WAIT, extra));
    return Extensions.read(
        GatewayHelloAck.parse(peer.expect("gateway_hello_ack").payload()).extra());
  }

  private void send(String id, Payload payload) {
    byte[] message = Envelopes.write(id, payload).array();
    sent.add(message, message.length);
    send(message);
  }

  /** A connection that is lost meanwhile is noticed by {@link #take}. */
  private void send(byte[] message) {
    try {
      peer.frame(0x81, message);
    } catch (IOException e) {
      lostWrites++;
    }
  }

  /** Takes the next connection for the same session. */
  private void accept() throws Exception {
    peer = controller.next();
    assertEquals("s-1", peer.request.headers().get("x-link-resume"));
    LinkResume resume = LinkResume.parse(peer.expect(LinkResume.TYPE).payload());
    assertEquals("s-1", resume.session());
    assertEquals("hidden", resume.secret());
    peer.send("", new LinkResumed(received.acknowledge()));
    for (byte[] again : sent.after(resume.received())) {
      send(again);
    }
  }

  /** The agent's next message that counts; null once the connection is lost. */
  private Message take() throws Exception {
    while (true) {
      ScriptedPeer.Received next = peer.poll(20);
      if (next == null) {
        if (!peer.closes.isEmpty()) {
          return null;
        }
        continue;
      }
      Message message = Envelopes.parse(next.data(), 0, next.data().length);
      if (message.type().equals(LinkAck.TYPE)) {
        sent.acknowledge(LinkAck.parse(message.payload()).received());
        continue;
      }
      if (received.received(next.data().length)) {
        send(Envelopes.write("", new LinkAck(received.acknowledge())).array());
      }
      return message;
    }
  }

  @Test
  void everyMessageArrivesOnceAndInOrderOverManyCuts() throws Exception {
    assertEquals(Set.of(Extensions.RESUME), connect(TestLink.RESUME));
    Random random = new Random(42);
    int total = 3000;
    int asked = 0;
    int answered = 0;
    int cuts = 0;
    Thread bulk =
        Thread.ofVirtual()
            .start(
                () -> {
                  for (int i = 0; i < total; i++) {
                    byte[] text = Envelopes.write("bulk-" + i, new Ping()).array();
                    try {
                      link.runtime.deliver(
                          new Outgoing(Priority.BULK, "bulk", true, ByteBuffer.wrap(text)), WAIT);
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  }
                });
    int bulkSeen = 0;
    // A cut in the middle of a frame asks once more, beyond the total.
    while (answered < Math.max(total, asked) || bulkSeen < total) {
      for (int burst = random.nextInt(8); burst > 0 && asked < total; burst--) {
        send("ping-" + asked++, new Ping());
      }
      Message message = take();
      if (message == null) {
        accept();
        continue;
      }
      if (message.type().equals(Pong.TYPE)) {
        assertEquals("ping-" + answered++, message.requestId());
      } else {
        assertEquals("bulk-" + bulkSeen++, message.requestId());
      }
      if (random.nextInt(60) == 0 && (answered < total || bulkSeen < total)) {
        cuts++;
        if (random.nextBoolean()) {
          // In the middle of a frame.
          byte[] message2 = Envelopes.write("ping-" + asked++, new Ping()).array();
          sent.add(message2, message2.length);
          try {
            peer.raw(new byte[] {(byte) 0x81, 126, 0, 120, 1, 2, 3});
          } catch (IOException e) {
            lostWrites++;
          }
        }
        if (!peer.socket.isClosed()) {
          peer.cut();
        }
      }
    }
    bulk.join();
    assertTrue(cuts > 50, "" + cuts);
    assertEquals(asked, answered);
    link.await(LinkState.CONNECTED);
    assertTrue(link.metrics.count("pipeops_agent_link_resumes_total", "result", "resumed") > 0);
  }

  @Test
  void sendingWaitsWhileNothingIsAcknowledged() throws Exception {
    connect(new Resume(WAIT, 256 << 10));
    List<byte[]> arrived = new ArrayList<>();
    Thread sender =
        Thread.ofVirtual()
            .start(
                () -> {
                  for (int i = 0; i < 40; i++) {
                    try {
                      link.runtime.deliver(
                          new Outgoing(Priority.BULK, "b", false, ByteBuffer.allocate(32 << 10)),
                          WAIT);
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  }
                });
    while (arrived.size() < 8) {
      arrived.add(peer.receive().data());
    }
    assertNull(peer.poll(300));
    peer.send("", new LinkAck(4));
    for (int i = 0; i < 4; i++) {
      arrived.add(peer.receive().data());
    }
    assertNull(peer.poll(300));
    while (arrived.size() < 40) {
      peer.send("", new LinkAck(arrived.size()));
      arrived.add(peer.receive().data());
    }
    sender.join();
  }

  @Test
  void aSessionThatTheHubHasGivenUpIsRegisteredAnew() throws Exception {
    connect(TestLink.RESUME);
    peer.cut();
    peer = controller.next();
    peer.expect(LinkResume.TYPE);
    peer.send("", new ErrorMessage("session not found"));
    peer = controller.next();
    // It is the same cluster, so no registration: the first heartbeat tells who it is.
    assertNull(peer.request.headers().get("x-link-resume"));
    link.await(LinkState.CONNECTED);
    assertEquals(1, link.metrics.count("pipeops_agent_link_resumes_total", "result", "refused"));
  }

  @Test
  void afterTheLimitTheSessionIsOver() throws Exception {
    connect(new Resume(Duration.ofMillis(300), 1 << 20));
    controller.answer = request -> ScriptedPeer.refusal(503, "not now");
    peer.cut();
    TestLink.await(
        () -> link.metrics.count("pipeops_agent_link_resumes_total", "result", "expired") == 1,
        () -> link.status().reason());
    controller.answer = request -> "";
    peer = controller.next();
    assertNull(peer.request.headers().get("x-link-resume"));
    link.await(LinkState.CONNECTED);
  }

  @Test
  void anAcknowledgementOfWhatWasNeverSentEndsTheConnection() throws Exception {
    connect(TestLink.RESUME);
    peer.send("", new LinkAck(1000));
    assertEquals(1011, peer.closeCode());
  }

  @Test
  void aCloseThatIsMeantIsNotResumed() throws Exception {
    connect(TestLink.RESUME);
    peer.close(1001, "the hub is stopping");
    peer = controller.next();
    assertNull(peer.request.headers().get("x-link-resume"));
  }

  @Test
  void withoutTheSettingTheOfferIsNotTakenUp() throws Exception {
    assertEquals(Set.of(), connect(new Resume(Duration.ZERO, 1 << 20)));
    peer.cut();
    peer = controller.next();
    assertNull(peer.request.headers().get("x-link-resume"));
  }
}
