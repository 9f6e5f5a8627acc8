package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.link.LinkSettings.Peer;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.link.ScriptedPeer.Request;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.Register;
import io.pipeops.agent.protocol.RegisterInProgress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Registration, gateway, resumption, re-registration, standby (protocol 1.6 to 1.8, 1.14). */
@Timeout(180)
class RegistrationTest {
  private ScriptedPeer controller;
  private ScriptedPeer gateway;
  private final TestLink link = new TestLink();

  @BeforeEach
  void start() throws Exception {
    controller = new ScriptedPeer();
    gateway = new ScriptedPeer();
  }

  @AfterEach
  void stop() throws Exception {
    link.close();
    controller.close();
    gateway.close();
  }

  private static PersistedState known(String gateway) {
    return new PersistedState("agent-known", "cluster-1", "uuid-1", gateway, "", "");
  }

  @Test
  void registersAndStaysAtTheController() throws Exception {
    link.facts.add(
        () ->
            Map.of(
                "k8s_version",
                "v1.34.0",
                "k8s_service_token",
                "t1",
                "labels",
                Map.of("zone", "b")));
    link.start(controller.url());
    var peer = controller.next();
    Request request = peer.request;
    assertEquals("GET /api/v1/clusters/agent/ws HTTP/1.1", request.line());
    assertEquals("Bearer " + TestLink.TOKEN, request.headers().get("authorization"));
    assertFalse(request.headers().containsKey("sec-websocket-extensions"));
    assertFalse(request.headers().containsKey("sec-websocket-protocol"));
    assertFalse(request.headers().containsKey("origin"));

    Message message = peer.acceptRegistration("c-9", "");
    Register register = Register.parse(message.payload());
    assertEquals("lab", register.name());
    assertEquals("v1.34.0", register.k8sVersion());
    assertEquals("t1", register.k8sServiceToken());
    assertEquals("1.4.2", register.agentVersion());
    assertEquals("127.0.0.1", register.serverIp());
    assertEquals("fresh", register.metadata().get("registration_mode"));
    assertEquals("vm-agent", register.metadata().get("agent_mode"));
    assertEquals("a", register.labels().get("team"));
    assertEquals("b", register.labels().get("zone"));
    assertEquals("1.4.2", register.labels().get("agent.pipeops.io/version"));
    assertTrue(register.serverSpecs().containsKey("cpu_cores"), register.serverSpecs()::toString);
    assertEquals(Register.FEATURES, register.features());

    var status = link.await(LinkState.CONNECTED);
    assertEquals("c-9", status.clusterId());
    assertEquals("http://localhost".replace("http", "ws") + ":" + controller.port(), status.peer());
    assertFalse(status.gateway());
    assertEquals(2, link.metrics.gauge("pipeops_agent_connection_state"));
  }

  @Test
  void goesToTheGatewayAndRemembersIt() throws Exception {
    link.remembering(PersistedState.EMPTY.withAgentId("agent-known"));
    link.start(controller.url());
    var first = controller.next();
    first.acceptRegistration("c-9", gateway.url() + "?zone=b");
    assertEquals(1000, first.closeCode());
    var second = gateway.next();
    assertEquals(
        "GET /ws?agent_version=1.4.2&cluster_uuid=c-9&supports_binary=true"
            + "&supports_response_streaming=true&supports_streaming=true&supports_websocket=true"
            + "&supports_yamux=true&zone=b HTTP/1.1",
        second.request.line());
    var status = link.await(LinkState.CONNECTED);
    assertTrue(status.gateway());
    TestLink.await(() -> link.store.state.clusterId().equals("c-9"), () -> "" + link.store.state);
    assertEquals(gateway.url() + "?zone=b", link.store.state.gatewayUrl());
    assertEquals("agent-known", link.store.state.agentId());
  }

  @Test
  void resumesAtTheGatewayWithoutRegistering() throws Exception {
    link.remembering(known(gateway.url()));
    link.start(slowState());
    var peer = gateway.next();
    assertTrue(peer.request.line().contains("cluster_uuid=uuid-1"), peer.request::line);
    link.await(LinkState.CONNECTED);
    assertEquals("cluster-1", link.status().clusterId());
    assertTrue(controller.requests.isEmpty());
    assertTrue(peer.quiet());
  }

  @Test
  void registersWhenResumingFails() throws Exception {
    gateway.answer = request -> ScriptedPeer.refusal(503, "busy");
    link.remembering(known(gateway.url()));
    link.start(slowState());
    Register register =
        Register.parse(controller.next().acceptRegistration("cluster-1", "").payload());
    assertEquals("cluster-1", register.clusterId());
    assertEquals("resume", register.metadata().get("registration_mode"));
    assertEquals("agent-known", register.agentId());
    link.await(LinkState.CONNECTED);
  }

  @Test
  void doesNotResumeWithANewToken() throws Exception {
    link.remembering(known(gateway.url()).withCredentials("old", ""));
    link.facts.add(() -> Map.of("k8s_service_token", "new"));
    link.start(slowState());
    Register register =
        Register.parse(controller.next().acceptRegistration("cluster-1", gateway.url()).payload());
    assertEquals("resume", register.metadata().get("registration_mode"));
    assertEquals("new", register.k8sServiceToken());
    gateway.next();
    link.await(LinkState.CONNECTED);
    TestLink.await(
        () -> link.store.state.clusterToken().equals("new"), () -> link.store.state.clusterToken());
  }

  @Test
  void triesTheGatewayAgainThenTheController() throws Exception {
    link.start(controller.url());
    gateway.answer = request -> ScriptedPeer.refusal(502, "down");
    controller.next().acceptRegistration("c-1", gateway.url());
    Register again = Register.parse(controller.next().acceptRegistration("c-1", "").payload());
    assertEquals(3, gateway.requests.size());
    assertEquals("c-1", again.clusterId());
    link.await(LinkState.CONNECTED);
  }

  @Test
  void registersFreshWhenTheGatewayRefusesTheCluster() throws Exception {
    link.remembering(known(gateway.url()));
    gateway.answer = request -> ScriptedPeer.refusal(401, "unknown cluster");
    link.start(slowState());
    Register register = Register.parse(controller.next().acceptRegistration("c-2", "").payload());
    assertEquals("", register.clusterId());
    assertEquals("fresh", register.metadata().get("registration_mode"));
    assertEquals("c-2", link.await(LinkState.CONNECTED).clusterId());
  }

  @Test
  void registersAgainOnNotRegisteredAtTheController() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    peer.send("", new ErrorMessage("Cluster not found, sorry"));
    Register again = Register.parse(peer.acceptRegistration("c-2", "").payload());
    assertEquals("", again.clusterId());
    assertEquals("c-2", link.await(s -> s.clusterId().equals("c-2") && s.connected()).clusterId());
  }

  @Test
  void leavesTheGatewayOnNotRegistered() throws Exception {
    link.remembering(known(gateway.url()));
    link.start(slowState());
    var peer = gateway.next();
    link.await(LinkState.CONNECTED);
    peer.send("", new ErrorMessage("agent NOT REGISTERED"));
    assertEquals(1000, peer.closeCode());
    Register register =
        Register.parse(controller.next().acceptRegistration("c-3", gateway.url()).payload());
    assertEquals("fresh", register.metadata().get("registration_mode"));
    assertTrue(gateway.next().request.line().contains("cluster_uuid=c-3"));
    link.await(s -> s.connected() && s.clusterId().equals("c-3"));
  }

  @Test
  void failsAtOnceWithTheReasonOfTheError() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    Message register = peer.expect("register");
    peer.send(register.requestId(), new ErrorMessage("quota\r\nexceeded"));
    link.await(s -> s.reason().contains("quota  exceeded"));
    controller.next().acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    assertEquals("", link.status().reason());
  }

  @Test
  void ignoresAnswersToOthersAndRefusesOneWithoutClusterId() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    Message register = peer.expect("register");
    peer.text(
        "{\"type\":\"register_success\",\"request_id\":\"x\",\"payload\":{\"cluster_id\":\"no\"}}");
    peer.text(
        "{\"type\":\"register_success\",\"request_id\":\""
            + register.requestId()
            + "\",\"payload\":{}}");
    link.await(s -> s.reason().contains("no cluster_id"));
    controller.next().acceptRegistration("yes", "");
    assertEquals("yes", link.await(LinkState.CONNECTED).clusterId());
  }

  @Test
  void waitsLongerWhileInProgressButNotForEver() throws Exception {
    Timing t = TestLink.timing();
    Timing hasty =
        new Timing(
            t.handshake(),
            t.ping(),
            t.read(),
            t.reconnect(),
            t.reconnectMax(),
            t.gatewayAttempts(),
            t.standby(),
            Duration.ofMillis(400),
            Duration.ofMillis(1200),
            t.stateWait(),
            t.handOver(),
            t.standbyCheck());
    link.start(
        new LinkSettings(
            TestLink.peer(controller.url()), hasty, TestLink.limits(), TestLink.RESUME));
    var peer = controller.next();
    Message register = peer.expect("register");
    long start = System.nanoTime();
    CountDownLatch closed = new CountDownLatch(1);
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                peer.closeCode();
                closed.countDown();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    while (!closed.await(100, java.util.concurrent.TimeUnit.MILLISECONDS)) {
      try {
        peer.send(register.requestId(), new RegisterInProgress(""));
      } catch (java.io.IOException e) {
        break;
      }
    }
    long waited = Duration.ofNanos(System.nanoTime() - start).toMillis();
    assertTrue(waited >= 1000 && waited < 5000, () -> "waited " + waited);
    link.await(s -> s.reason().contains("not answered in time") || s.connected());
  }

  @Test
  void standsByWhileAnotherHoldsTheIdentity() throws Exception {
    controller.answer = request -> ScriptedPeer.refusal(409, "agent already connected");
    link.start(controller.url());
    link.await(LinkState.STANDBY);
    TestLink.await(() -> controller.requests.size() > 3, () -> "not asked again");
    controller.answer = request -> "";
    var peer = controller.next();
    peer.send(peer.expect("register").requestId(), new ErrorMessage("Already connected elsewhere"));
    var next = controller.next();
    assertEquals(LinkState.STANDBY, link.status().state());
    next.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    assertEquals(
        1, link.metrics.count("pipeops_agent_connection_state_changes_total", "state", "standby"));
  }

  @Test
  void staysRegisteredAfterAReconnect() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    peer.cut();
    var next = controller.next();
    link.await(
        s ->
            s.connected()
                && link.metrics.count("pipeops_agent_websocket_reconnections_total") == 1);
    assertTrue(next.quiet());
    assertEquals("c-1", link.status().clusterId());
    assertTrue(
        link.history.stream().anyMatch(s -> s.state() == LinkState.RECONNECTING),
        link.history::toString);
  }

  @Test
  void renewsOnRequest() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    peer.acceptRegistration("c-1", "");
    link.await(LinkState.CONNECTED);
    link.runtime.register("token rotated");
    Register again = Register.parse(peer.acceptRegistration("c-1", "").payload());
    assertEquals("c-1", again.clusterId());
    assertEquals("resume", again.metadata().get("registration_mode"));
    link.await(LinkState.CONNECTED);
  }

  @Test
  void takesUpAnIdentityThatTheStoreCameToKnowAndLeavesNewerCredentialsAlone() throws Exception {
    link.remembering(known(gateway.url()).withCredentials("t1", "ca1"));
    link.start(slowState());
    var peer = gateway.next();
    link.await(LinkState.CONNECTED);
    link.store.update(s -> s.withAgentId("agent-other").withCredentials("t2", "ca2"));
    peer.send("", new ErrorMessage("not registered"));
    var next = controller.next();
    Register register = Register.parse(next.acceptRegistration("c-5", "").payload());
    assertEquals("t2", link.store.state.clusterToken());
    assertEquals("ca2", link.store.state.clusterCa());
    link.await(s -> s.connected() && s.clusterId().equals("c-5"));
    link.store.update(s -> s.withAgentId("agent-third"));
    link.runtime.register("the cluster knows this agent by another id");
    Register again = Register.parse(next.acceptRegistration("c-5", "").payload());
    assertEquals("agent-third", again.agentId());
    assertEquals("agent-other", register.agentId());
    link.await(s -> s.connected() && s.agentId().equals("agent-third"));
  }

  @Test
  void registersWithoutAStoreAndTakesUpWhatALateOneRemembers() throws Exception {
    link.start(controller.url());
    var peer = controller.next();
    String generated = Register.parse(peer.acceptRegistration("c-1", "").payload()).agentId();
    assertTrue(generated.matches("agent-[0-9a-f]{16}"), generated);
    link.await(LinkState.CONNECTED);
    link.remembering(new PersistedState("agent-old", "cluster-old", "", "", "", ""));
    Register again = Register.parse(peer.acceptRegistration("cluster-old", "").payload());
    assertEquals("agent-old", again.agentId());
    assertEquals("cluster-old", again.clusterId());
    link.await(s -> s.connected() && s.agentId().equals("agent-old"));
  }

  @Test
  void givesALateEmptyStoreWhatIsKnown() throws Exception {
    link.start(controller.url());
    controller.next().acceptRegistration("c-1", "");
    var status = link.await(LinkState.CONNECTED);
    link.remembering(PersistedState.EMPTY);
    TestLink.await(() -> link.store.state.clusterId().equals("c-1"), () -> "" + link.store.state);
    assertEquals(status.agentId(), link.store.state.agentId());
  }

  @Test
  void leavesOutAFactThatHangsAndRegistersAgainWhenItComes() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    link.facts.add(
        () -> {
          try {
            release.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return Map.of("k8s_service_token", "late");
        });
    link.start(controller.url());
    var peer = controller.next();
    long start = System.nanoTime();
    Register first = Register.parse(peer.acceptRegistration("c-1", "").payload());
    assertTrue(System.nanoTime() - start < Duration.ofSeconds(4).toNanos());
    assertEquals("", first.k8sServiceToken());
    assertEquals("v1.28.0+k3s1", first.k8sVersion());
    link.await(LinkState.CONNECTED);
    release.countDown();
    Register again = Register.parse(peer.acceptRegistration("c-1", "").payload());
    assertEquals("late", again.k8sServiceToken());
  }

  @Test
  void aFixedIdentityWins() throws Exception {
    Peer p = TestLink.peer(controller.url());
    Peer fixed =
        new Peer(
            p.url(),
            true,
            p.token(),
            "",
            p.clusterName(),
            "my-agent",
            p.labels(),
            p.tls(),
            "",
            p.noProxy(),
            p.version());
    link.remembering(known(""));
    link.start(new LinkSettings(fixed, slowState().timing(), TestLink.limits(), TestLink.RESUME));
    Register register =
        Register.parse(controller.next().acceptRegistration("cluster-1", "").payload());
    assertEquals("my-agent", register.agentId());
    TestLink.await(
        () -> link.store.state.agentId().equals("my-agent"), () -> "" + link.store.state);
  }

  /** Waits for the store, which the other tests do not want. */
  private LinkSettings slowState() {
    Timing t = TestLink.timing();
    return new LinkSettings(
        TestLink.peer(controller.url()),
        new Timing(
            t.handshake(),
            t.ping(),
            t.read(),
            t.reconnect(),
            t.reconnectMax(),
            t.gatewayAttempts(),
            t.standby(),
            t.register(),
            t.registerMax(),
            Duration.ofSeconds(5),
            t.handOver(),
            t.standbyCheck()),
        TestLink.limits(),
        TestLink.RESUME);
  }
}
