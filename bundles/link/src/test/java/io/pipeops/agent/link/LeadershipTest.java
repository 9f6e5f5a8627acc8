package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.link.ScriptedPeer.Peer;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.Register;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who leads is connected, who does not is ready to be; and how one follows the other. */
@Timeout(120)
class LeadershipTest {
  private static final Map<String, Object> OFFER = Map.of(HandedOver.OFFER, true);

  private ScriptedPeer controller;
  private TestLink link;

  /** A lead by election, whose hand-over the test decides. */
  private static final class Elected implements Leadership {
    final CountDownLatch asked = new CountDownLatch(1);
    final CompletableFuture<Boolean> taken = new CompletableFuture<>();

    @Override
    public String lease() {
      return "ns/pipeops-agent";
    }

    @Override
    public long term() {
      return 4711;
    }

    @Override
    public boolean handOver(Duration limit) {
      asked.countDown();
      return taken.join();
    }
  }

  @BeforeEach
  void open() throws Exception {
    controller = new ScriptedPeer();
    link = new TestLink((Leadership) null);
  }

  @AfterEach
  void close() throws Exception {
    link.close();
    controller.close();
  }

  private Peer serve(Elected lead, Map<String, Object> extra) throws Exception {
    link.runtime.lead(lead);
    link.start(controller.url());
    Peer peer = controller.next();
    Register register = Register.parse(peer.acceptRegistration("c-9", "", extra).payload());
    assertEquals("ns/pipeops-agent", register.metadata().get(HandedOver.LEASE));
    assertEquals("4711", register.metadata().get(HandedOver.TERM));
    link.await(LinkState.CONNECTED);
    return peer;
  }

  private void awaitStandby() {
    link.await(LinkState.STANDBY);
  }

  @Test
  void aReplicaThatStandsByProvesThatItCouldConnectAndRegistersNothing() throws Exception {
    link.runtime.standBy(true);
    link.start(controller.url());
    Peer check = controller.next();
    assertEquals(1000, check.closeCode());
    awaitStandby();
    assertTrue(check.quiet(), "nothing was registered");
    assertEquals(Result.Status.OK, LinkHealthCheck.result(link.status(), false).getStatus());
    assertEquals(
        Result.Status.TEMPORARILY_UNAVAILABLE,
        LinkHealthCheck.result(link.status(), true).getStatus());
    link.store.state = PersistedState.EMPTY.withAgentId("agent-known");
    link.runtime.attach(link.store);
    link.store.update(known -> known.withRegistration("c-of-the-leader", "", ""));
    link.runtime.lead(TestLink.ALONE);
    Peer peer = controller.next();
    Register register = Register.parse(peer.acceptRegistration("c-of-the-leader", "").payload());
    assertEquals("c-of-the-leader", register.clusterId(), "as the leader before has stored it");
    assertNull(register.metadata().get(HandedOver.TERM));
    link.await(LinkState.CONNECTED);
  }

  @Test
  void aReplicaThatCouldNotConnectIsNotReadyToStandBy() throws Exception {
    controller.answer = request -> ScriptedPeer.refusal(401, "bad token");
    link.runtime.standBy(true);
    link.start(controller.url());
    link.await(status -> status.reason().contains("bad token"));
    assertEquals(LinkState.CONNECTING, link.status().state());
    assertFalse(LinkHealthCheck.result(link.status(), false).isOk());
    controller.answer = request -> "";
    awaitStandby();
  }

  @Test
  void withoutTheLeadTheConnectionToAPlainPeerIsClosed() throws Exception {
    Elected lead = new Elected();
    Peer peer = serve(lead, Map.of());
    link.runtime.follow(lead);
    assertEquals(1001, peer.closeCode(), "before the lease can be another's");
    link.await(LinkState.CONNECTING);
    assertTrue(controller.silent(50), "nobody is known to lead");
    link.runtime.standBy(true);
    awaitStandby();
    link.runtime.lead(lead);
    controller.next(); // the check
    controller.next().acceptRegistration("c-9", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void aReplicaThatGetsTheLeadAtOnceNeedsNoCheck() throws Exception {
    link.start(controller.url());
    link.await(status -> status.reason().contains("nobody is known to lead"));
    assertFalse(LinkHealthCheck.result(link.status(), false).isOk());
    link.runtime.lead(TestLink.ALONE);
    controller.next().acceptRegistration("c-9", "");
    link.await(LinkState.CONNECTED);
  }

  @Test
  void withoutTheLeadItServesOnUntilThePeerHasAnother() throws Exception {
    Elected lead = new Elected();
    Peer peer = serve(lead, OFFER);
    link.runtime.follow(lead);
    assertTrue(controller.silent(100));
    assertEquals(LinkState.CONNECTED, link.status().state());
    peer.send("", new HandedOver("a newer leader"));
    awaitStandby();
    link.runtime.standBy(true);
    peer.close(1000, "handed over");
    controller.next(); // the check
    awaitStandby();
    assertTrue(controller.silent(100));
  }

  @Test
  void theLeadThatComesBackFindsTheConnectionAsItWas() throws Exception {
    Elected lead = new Elected();
    Peer peer = serve(lead, OFFER);
    link.runtime.follow(lead);
    link.runtime.lead(lead);
    link.runtime.register("a test");
    peer.acceptRegistration("c-9", "", OFFER);
    assertTrue(controller.silent(50));
    link.await(LinkState.CONNECTED);
  }

  @Test
  void aStoppingLeaderServesUntilAnotherHasRegistered() throws Exception {
    Elected lead = new Elected();
    Peer peer = serve(lead, OFFER);
    CompletableFuture<Void> left =
        CompletableFuture.runAsync(
            () -> {
              try {
                link.runtime.leave();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    assertTrue(lead.asked.await(20, TimeUnit.SECONDS));
    link.runtime.follow(lead);
    assertEquals(LinkState.CONNECTED, link.status().state());
    lead.taken.complete(true);
    assertTrue(controller.silent(50));
    assertFalse(left.isDone());
    peer.send("", new HandedOver("a newer leader"));
    left.get(20, TimeUnit.SECONDS);
    assertTrue(peer.closes.isEmpty(), "streams may still end");
    link.close();
    assertEquals(1001, peer.closeCode());
  }

  @Test
  void aStoppingLeaderDoesNotWaitWhenNobodyFollows() throws Exception {
    Elected lead = new Elected();
    lead.taken.complete(false);
    Peer peer = serve(lead, OFFER);
    link.runtime.leave();
    link.close();
    assertEquals(1001, peer.closeCode());
  }

  @Test
  void aStoppingLeaderOfAPlainPeerHandsNothingOver() throws Exception {
    Elected lead = new Elected();
    serve(lead, Map.of());
    link.runtime.leave();
    assertEquals(1, lead.asked.getCount());
  }

  @Test
  void aConnectionThatIsLostDuringTheHandOverIsNotMadeAgain() throws Exception {
    Elected lead = new Elected();
    Peer peer = serve(lead, OFFER);
    lead.taken.complete(true);
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                lead.asked.await();
                peer.cut();
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            });
    link.runtime.leave();
    assertTrue(controller.silent(100));
  }
}
