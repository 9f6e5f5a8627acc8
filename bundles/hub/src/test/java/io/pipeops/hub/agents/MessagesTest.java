package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.HubListener;
import io.pipeops.hub.RawAgent;
import io.pipeops.hub.TestHub;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an agent may send, and what it must not. */
@Timeout(60)
class MessagesTest {
  private TestHub hub;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub();
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private static void assertAlive(FakeAgent agent) throws InterruptedException {
    agent.sendText("{\"type\":\"ping\",\"request_id\":\"alive\",\"payload\":{}}");
    JsonNode message = agent.inbox.poll(10, TimeUnit.SECONDS);
    while (message != null && !message.path("request_id").asText().equals("alive")) {
      message = agent.inbox.poll(10, TimeUnit.SECONDS);
    }
    assertNotNull(message, "the ping is answered");
  }

  @Test
  void pingIsAnsweredWithItsId() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      agent.sendText("{\"type\":\"ping\",\"request_id\":\"p-9\",\"payload\":{}}");
      JsonNode pong = agent.take("pong");
      assertEquals("p-9", pong.path("request_id").asText());
      assertTrue(pong.at("/payload/timestamp").isTextual());
    }
  }

  @Test
  void jsonInBinaryMessagesIsUnderstood() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      agent.sendBinary(
          " {\"type\":\"ping\",\"request_id\":\"b\"}".getBytes(StandardCharsets.UTF_8));
      assertEquals("b", agent.take("pong").path("request_id").asText());
    }
  }

  @Test
  void malformedMessagesCostOnlyThemselves() throws Exception {
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      for (String text :
          new String[] {
            "",
            "{",
            "[]",
            "null",
            "42",
            "{}",
            "{\"type\":7}",
            "{\"type\":\"\"}",
            "{\"type\":\"heartbeat\",\"payload\":[]}",
            "{\"type\":\"heartbeat\",\"payload\":{\"cluster_id\":{},\"metadata\":3}}",
            "{\"type\":\"register\",\"payload\":{\"name\":[]}}",
            "{\"type\":\"register\"}",
            "{\"type\":\"nobody-knows\",\"payload\":{}}",
            "{\"type\":\"proxy_response_chunk\",\"request_id\":\"x\",\"payload\":{\"data\":\"*\"}}",
            "{\"type\":\"proxy_response_end\"}",
            "{\"type\":\"protocol_fallback\",\"payload\":{\"unknown_type\":\"x\"}}",
            "{\"type\":\"ping\"}{\"type\":\"ping\"}",
            "\u0000\u0001",
            "[".repeat(5_000),
          }) {
        agent.sendText(text);
      }
      for (byte[] data :
          new byte[][] {
            {}, {0}, {0, 3, 'r'}, {-1, -1, -1}, "{\"type\"".getBytes(StandardCharsets.UTF_8)
          }) {
        agent.sendBinary(data);
      }
      assertAlive(agent);
      assertEquals(1, hub.sessions.list().size());
    }
  }

  @Test
  void randomMessagesCostOnlyThemselves() throws Exception {
    Random random = new Random(42);
    String[] types = {
      "register", "heartbeat", "ping", "proxy_response", "proxy_response_header",
      "proxy_response_chunk", "proxy_response_end", "proxy_error", "error", "x"
    };
    String[] values = {
      "null", "true", "-1", "1e400", "\"\\ud800\"", "[]", "{}", "\"eA==\"", "[{}]"
    };
    String[] names = {
      "status",
      "headers",
      "body",
      "encoding",
      "data",
      "error",
      "cluster_id",
      "name",
      "agent_id",
      "metadata",
      "labels",
      "k8s_service_token"
    };
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      for (int i = 0; i < 2_000; i++) {
        StringBuilder text = new StringBuilder("{\"type\":\"");
        text.append(types[random.nextInt(types.length)]).append("\",\"request_id\":");
        text.append(random.nextBoolean() ? "\"r\"" : values[random.nextInt(values.length)]);
        text.append(",\"payload\":{\"z\":0");
        for (int f = random.nextInt(4); f > 0; f--) {
          text.append(",\"").append(names[random.nextInt(names.length)]).append("\":");
          text.append(values[random.nextInt(values.length)]);
        }
        text.append("}}");
        if (random.nextInt(4) == 0) {
          text.setCharAt(random.nextInt(text.length()), (char) (32 + random.nextInt(95)));
        }
        if (random.nextInt(8) == 0) {
          text.setLength(random.nextInt(text.length()));
        }
        agent.sendText(text.toString());
        if (i % 10 == 0) {
          byte[] noise = new byte[random.nextInt(64)];
          random.nextBytes(noise);
          agent.sendBinary(noise);
        }
      }
      assertAlive(agent);
    }
  }

  @Test
  void oversizedMessageEndsTheConnectionWithItsCode() throws Exception {
    try (TestHub small = new TestHub(TestHub.quick(), HubListener.local(), "");
        FakeAgent agent = FakeAgent.registered(small, "one")) {
      agent.sendText("{\"type\":\"x\",\"payload\":{\"y\":\"" + "z".repeat(3 << 20) + "\"}}");
      assertAlive(agent);
      try {
        agent.sendText("z".repeat(5 << 20));
      } catch (RuntimeException e) {
        // The hub may be quicker than the client's last fragment.
      }
      int code = agent.closed.get(10, TimeUnit.SECONDS);
      assertTrue(code == 1009 || code == 1006, "closed with " + code);
      TestHub.await("session ends", () -> small.sessions.list().isEmpty());
    }
  }

  @Test
  void promisedLengthsCostNoMemory() throws Exception {
    try (RawAgent raw = RawAgent.connect(hub, AgentEndpoint.CONTROLLER, "agent-one")) {
      raw.header(0x81, 1L << 40);
      try {
        raw.raw(new byte[1 << 20]);
      } catch (java.io.IOException e) {
        // The hub may cut it at once.
      }
      // Nothing was allocated for it; what has come so far is within the limit.
    }
    try (RawAgent raw = RawAgent.connect(hub, AgentEndpoint.CONTROLLER, "agent-one")) {
      for (int i = 0; i < 40; i++) {
        try {
          raw.frame(i == 0 ? 0x01 : 0x00, new byte[1 << 20]);
        } catch (java.io.IOException e) {
          break;
        }
      }
      assertTrue(raw.closedByPeer());
    }
  }

  @Test
  void protocolErrorsEndTheConnection() throws Exception {
    byte[][] violations = {
      {(byte) 0x83, (byte) 0x80, 0, 0, 0, 0}, // reserved opcode
      {(byte) 0xC1, (byte) 0x80, 0, 0, 0, 0}, // reserved bit, no extension
      {(byte) 0x81, 0x01, 'x'}, // no mask
      {(byte) 0x80, (byte) 0x80, 0, 0, 0, 0}, // continuation of nothing
      {0x09, (byte) 0x80, 0, 0, 0, 0}, // fragmented ping
    };
    for (byte[] violation : violations) {
      try (RawAgent raw = RawAgent.connect(hub, AgentEndpoint.CONTROLLER, "agent-one")) {
        raw.raw(violation);
        int code = raw.closeCode();
        assertTrue(code == 1002 || code == 1006, "closed with " + code);
      }
    }
  }

  @Test
  void silentAgentIsGivenUp() throws Exception {
    try (TestHub quick = new TestHub(TestHub.quick(), HubListener.local(), "");
        RawAgent raw = RawAgent.connect(quick, AgentEndpoint.CONTROLLER, "agent-one")) {
      assertTrue(raw.closedByPeer());
    }
  }

  @Test
  void connectionCutInAFrameEndsTheSession() throws Exception {
    String cluster;
    try (FakeAgent agent = FakeAgent.registered(hub, "one")) {
      cluster = agent.clusterId;
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
    try (RawAgent raw =
        RawAgent.connect(hub, AgentEndpoint.GATEWAY + "?cluster_uuid=" + cluster, "agent-one")) {
      TestHub.await("session begins", () -> hub.sessions.session(cluster).isPresent());
      raw.header(0x81, 1000);
      raw.raw(new byte[10]);
    }
    TestHub.await("session ends", () -> hub.sessions.list().isEmpty());
  }
}
