package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.LinkResume;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.resume.Receipts;
import io.pipeops.agent.protocol.resume.ReplayLog;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.TestHub;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An agent loses its socket and comes back with another one; the agent's side is the test's. */
@Timeout(180)
class ResumeTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private TestHub hub;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub(AgentLimits.standard(), HubListener.local(), "");
    hub.offerStreams();
  }

  @AfterEach
  void stop() {
    hub.close();
    client.close();
  }

  /** An agent that resumes, and answers each request with its path and some ballast. */
  private final class Agent {
    final ReplayLog<String> sent = new ReplayLog<>(1 << 20);
    final Receipts received = new Receipts();
    FakeAgent socket;
    String cluster;
    String session;
    String secret;

    Agent(Set<String> extensions) throws Exception {
      socket = FakeAgent.registered(hub, "one");
      cluster = socket.clusterId;
      JsonNode hello = socket.take("gateway_hello");
      session = hello.at("/payload/resume/session").asText();
      secret = hello.at("/payload/resume/secret").asText();
      FakeAgent first = socket;
      first.script(message -> message(first, message));
      first.send("", new GatewayHelloAck(true, Extensions.fields(extensions)));
      // An answer that comes after it shows that the hub has read it.
      assertEquals(200, get(cluster, "/api/v1/ready").get(10, TimeUnit.SECONDS).statusCode());
    }

    synchronized void message(FakeAgent from, JsonNode message) {
      if (from != socket) {
        return;
      }
      try {
        switch (message.path("type").asText()) {
          case LinkAck.TYPE -> sent.acknowledge(message.at("/payload/received").asLong());
          case "link_resumed" -> {
            for (String again : sent.after(message.at("/payload/received").asLong())) {
              write(again);
            }
          }
          case "proxy_request" -> {
            count(message);
            String id = message.path("request_id").asText();
            String path = message.at("/payload/path").asText();
            send(id, new ProxyResponseHeader(200, Headers.EMPTY));
            byte[] ballast =
                (path + " " + "x".repeat(path.hashCode() & 0x3fff))
                    .getBytes(StandardCharsets.UTF_8);
            send(id, new ProxyResponseChunk(ByteBuffer.wrap(ballast)));
            send(id, new ProxyResponseEnd());
          }
          default -> count(message);
        }
      } catch (ProtocolException e) {
        throw new IllegalStateException(e);
      }
    }

    private void count(JsonNode message) {
      if (received.received(message.toString().length())) {
        write(text("", new LinkAck(received.acknowledge())));
      }
    }

    private static String text(String id, Payload payload) {
      return StandardCharsets.UTF_8.decode(Envelopes.write(id, payload)).toString();
    }

    private void send(String id, Payload payload) {
      String text = text(id, payload);
      sent.add(text, text.length());
      write(text);
    }

    private void write(String text) {
      try {
        socket.sendText(text);
      } catch (RuntimeException e) {
        // The socket is gone: what is kept is sent again.
        assertTrue(sent.bytes() > 0 || text.contains(LinkAck.TYPE));
      }
    }

    void comeBack(String proof) throws Exception {
      FakeAgent next =
          FakeAgent.connect(
              hub.ws(AgentEndpoint.CONTROLLER), "agent-one", Map.of(LinkResume.HEADER, session));
      synchronized (this) {
        socket = next;
        next.script(message -> message(next, message));
        next.send("", new LinkResume(session, proof, received.acknowledge()));
      }
    }

    void cut() {
      socket.vanish();
    }
  }

  private CompletableFuture<HttpResponse<String>> get(String cluster, String path) {
    return client.sendAsync(
        HttpRequest.newBuilder(hub.kube(cluster, path))
            .header("Authorization", "Bearer client-" + cluster)
            .build(),
        BodyHandlers.ofString());
  }

  @Test
  void noRequestNoticesThatTheAgentWasAway() throws Exception {
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    Random random = new Random(7);
    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int round = 0; round < 40; round++) {
      for (int i = random.nextInt(20); i >= 0; i--) {
        answers.add(get(agent.cluster, "/api/v1/" + answers.size()));
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(15)));
      agent.cut();
      answers.add(get(agent.cluster, "/api/v1/" + answers.size()));
      agent.comeBack(agent.secret);
    }
    for (int i = 0; i < answers.size(); i++) {
      String path = "/api/v1/" + i;
      HttpResponse<String> answer = answers.get(i).get(60, TimeUnit.SECONDS);
      assertEquals(200, answer.statusCode(), answer.body());
      assertEquals(path + " " + "x".repeat(path.hashCode() & 0x3fff), answer.body());
    }
    assertEquals(1, hub.sessions.list().size());
  }

  /** The agent has noticed, the hub has not, and may be writing to the socket that it gives up. */
  @Test
  void aSocketThatStillSeemsOpenIsReplaced() throws Exception {
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    for (int round = 0; round < 30; round++) {
      FakeAgent old = agent.socket;
      CompletableFuture<HttpResponse<String>> early = get(agent.cluster, "/api/v1/x");
      agent.comeBack(agent.secret);
      CompletableFuture<HttpResponse<String>> late = get(agent.cluster, "/api/v1/y");
      assertEquals(200, early.get(60, TimeUnit.SECONDS).statusCode());
      assertEquals(200, late.get(60, TimeUnit.SECONDS).statusCode());
      old.closed.get(60, TimeUnit.SECONDS);
    }
    assertEquals(200, get(agent.cluster, "/api/v1/z").get(60, TimeUnit.SECONDS).statusCode());
  }

  @Test
  void onlyItsOwnerTakesASessionUp() throws Exception {
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    FakeAgent own = agent.socket;
    FakeAgent thief =
        FakeAgent.connect(
            hub.ws(AgentEndpoint.CONTROLLER),
            "agent-one",
            Map.of(LinkResume.HEADER, agent.session));
    thief.send("", new LinkResume(agent.session, "guessed", 0));
    thief.take("error");
    assertEquals(1008, thief.closed.get(10, TimeUnit.SECONDS));
    FakeAgent loud =
        FakeAgent.connect(
            hub.ws(AgentEndpoint.CONTROLLER),
            "agent-one",
            Map.of(LinkResume.HEADER, agent.session));
    try {
      loud.sendText("x".repeat(AgentLimits.standard().maxMessage() + 1));
    } catch (RuntimeException e) {
      // The hub need not read all of it.
      assertFalse(own.closed.isDone());
    }
    loud.closed.get(10, TimeUnit.SECONDS);
    for (String[] wrong :
        new String[][] {{agent.session, "agent-two"}, {"s-unknown", "agent-one"}}) {
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () ->
                  FakeAgent.connect(
                      hub.ws(AgentEndpoint.CONTROLLER),
                      wrong[1],
                      Map.of(LinkResume.HEADER, wrong[0])));
      assertTrue(refused.getMessage().contains("410"), refused::getMessage);
    }
    assertEquals(200, get(agent.cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).statusCode());
    assertFalse(own.closed.isDone());
  }

  @Test
  void afterTheLimitEveryStreamEndsWithTheReason() throws Exception {
    hub.sessions.resume(new ResumeLimits(Duration.ofMillis(400), 1 << 20));
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    TestHub.await("agreed", () -> hub.sessions.list().size() == 1);
    assertEquals(200, get(agent.cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).statusCode());
    agent.cut();
    HttpResponse<String> answer = get(agent.cluster, "/api/v1/y").get(20, TimeUnit.SECONDS);
    assertTrue(answer.statusCode() == 502 || answer.statusCode() == 503, answer::toString);
    JsonNode status = JSON.readTree(answer.body());
    assertEquals("Failure", status.path("status").asText());
    TestHub.await("ended", () -> hub.sessions.list().isEmpty());
  }

  @Test
  void anAgentThatAcknowledgesTooMuchIsClosed() throws Exception {
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    assertEquals(200, get(agent.cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).statusCode());
    agent.socket.send("", new LinkAck(1_000_000));
    assertEquals(1011, agent.socket.closed.get(10, TimeUnit.SECONDS));
  }

  /** Nothing is kept for an agent that does not resume, so nothing ever waits for it. */
  @Test
  void anAgentThatDoesNotResumeIsServedAsEver() throws Exception {
    hub.sessions.resume(new ResumeLimits(Duration.ofMinutes(1), 1 << 10));
    FakeAgent agent = FakeAgent.registered(hub, "two");
    agent.take("gateway_hello");
    agent.serve(request -> agent.answer(request, 200, "yes"));
    for (int i = 0; i < 50; i++) {
      if (i == 25) {
        agent.send("", new GatewayHelloAck(true, Map.of()));
      }
      assertEquals(200, get(agent.clusterId, "/api/v1/x").get(10, TimeUnit.SECONDS).statusCode());
    }
    agent.vanish();
    TestHub.await("gone", () -> hub.sessions.list().isEmpty());
  }

  /** A new process of the same agent does not wait for the session of the one before it. */
  @Test
  void anAgentThatRegistersAnewTakesItsPlaceAtOnce() throws Exception {
    Agent agent = new Agent(Set.of(Extensions.RESUME));
    assertEquals(200, get(agent.cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).statusCode());
    agent.cut();
    FakeAgent again = FakeAgent.registered(hub, "one");
    assertEquals(agent.cluster, again.clusterId);
    again.take("gateway_hello");
    again.serve(request -> again.answer(request, 200, "again"));
    assertEquals("again", get(agent.cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).body());
  }

  private FakeAgent leader(int term) throws Exception {
    FakeAgent agent = FakeAgent.connect(hub.ws(AgentEndpoint.CONTROLLER), "agent-one");
    agent.sendText(
        "{\"type\":\"register\",\"request_id\":\"reg-1\",\"payload\":{\"agent_id\":\"id-one\","
            + "\"name\":\"one\",\"metadata\":{\"leader_lease\":\"ns/l\",\"leader_term\":\""
            + term
            + "\"}},\"timestamp\":\"2026-03-04T10:15:30Z\"}");
    agent.clusterId = agent.take("register_success").at("/payload/cluster_id").asText();
    agent.take("gateway_hello");
    agent.serve(request -> agent.answer(request, 200, "term " + term));
    agent.send("", new GatewayHelloAck(true, Extensions.fields(Set.of(Extensions.RESUME))));
    return agent;
  }

  /** Nobody waits for a leader that was killed once another replica leads. */
  @Test
  void aNewLeaderTakesThePlaceOfOneThatIsAway() throws Exception {
    FakeAgent first = leader(1);
    String cluster = first.clusterId;
    assertEquals("term 1", get(cluster, "/api/v1/x").get(10, TimeUnit.SECONDS).body());
    first.vanish();
    CompletableFuture<HttpResponse<String>> waiting = get(cluster, "/api/v1/y");
    TestHub.await("away", () -> hub.sessions.list().get(0).state() != SessionInfo.State.CONNECTED);
    FakeAgent second = leader(2);
    assertEquals(cluster, second.clusterId);
    int status = waiting.get(10, TimeUnit.SECONDS).statusCode();
    assertTrue(status == 502 || status == 200, "" + status);
    assertEquals("term 2", get(cluster, "/api/v1/z").get(10, TimeUnit.SECONDS).body());
    assertEquals(1, hub.sessions.list().size());
  }
}
