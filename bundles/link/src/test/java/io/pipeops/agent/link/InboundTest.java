package io.pipeops.agent.link;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkListener;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.link.LinkSettings.Limits;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.StreamIds;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class InboundTest {
  private final List<String> log = new ArrayList<>();
  private final Handlers<LinkHandler> handlers = new Handlers<>(LinkHandler.TYPES);
  private final Answers answers = new Answers();
  private final TestLink.CountingMetrics metrics = new TestLink.CountingMetrics();
  private final Inbound inbound = inbound(new Limits(0, 0, 0, Duration.ofSeconds(5), 3, 2000));

  private Inbound inbound(Limits limits) {
    Inbound made =
        new Inbound(
            handlers,
            new UnknownTypes(),
            new Inbound.Control() {
              @Override
              public void registered(Message message) {
                log.add("registered");
              }

              @Override
              public void registering(Message message) {
                log.add("registering");
              }

              @Override
              public void error(Message message) {
                log.add("error");
              }

              @Override
              public void handedOver(Message message) {
                log.add("handed over");
              }
            },
            new Inbound.Offers() {
              @Override
              public void hello(GatewayHello hello) {
                log.add("hello " + hello.useYamux());
              }

              @Override
              public void ids(StreamIds ids) {
                log.add("ids");
              }

              @Override
              public void acknowledged(LinkAck ack) {
                log.add("ack " + ack.received());
              }
            },
            answers,
            new LinkMetrics(metrics, () -> 0, priority -> 0),
            limits,
            () -> log.add("wake"));
    answers.inbound = made;
    return made;
  }

  /** The way back, into a list. */
  private static final class Answers implements Reply {
    final List<String> sent = new ArrayList<>();
    Inbound inbound;

    @Override
    public boolean claim(String key, StreamReceiver receiver) {
      return inbound.claim(key, receiver);
    }

    @Override
    public void release(String key) {
      inbound.release(key);
    }

    @Override
    public boolean forward(String key, Message message) {
      return inbound.forward(key, message);
    }

    @Override
    public void expectBinary(StreamReceiver receiver) {
      inbound.expectBinary(receiver);
    }

    @Override
    public void send(Outgoing message) {
      sent.add(UTF_8.decode(message.data().duplicate()).toString());
    }

    @Override
    public boolean offer(Outgoing message) {
      send(message);
      return true;
    }

    @Override
    public boolean connected() {
      return true;
    }
  }

  private final class Stream implements StreamReceiver {
    private final String name;

    Stream(String name) {
      this.name = name;
    }

    @Override
    public void receive(Message message) {
      log.add(name + " got " + message.type());
    }

    @Override
    public void binary(ByteBuffer data) {
      log.add(name + " binary " + data.remaining());
    }

    @Override
    public void lost(String reason) {
      log.add(name + " lost");
    }
  }

  private void text(String json) {
    byte[] data = json.getBytes(UTF_8);
    inbound.message(data, data.length, true);
  }

  private void message(String type, String id, String payload) {
    text("{\"type\":\"%s\",\"request_id\":\"%s\",\"payload\":%s}".formatted(type, id, payload));
  }

  private void binary(int... bytes) {
    byte[] data = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      data[i] = (byte) bytes[i];
    }
    inbound.message(data, data.length, false);
  }

  private void handler(String name, int ranking, boolean draining, String... types) {
    LinkHandler handler =
        (message, reply) -> {
          log.add(name + ":" + message.type() + ":" + message.requestId());
          if (message.payload().toString().contains("claim")) {
            reply.claim(message.requestId(), new Stream(message.requestId()));
          }
          if (message.payload().toString().contains("\"body_binary\":true")) {
            reply.expectBinary(new Stream("body"));
          }
        };
    handlers.put(
        name,
        handler,
        Map.of(
            LinkHandler.TYPES, types, "service.ranking", ranking, LinkHandler.DRAINING, draining));
  }

  @Test
  void theHighestRankingGetsItAndADrainingOneOnlyIfAlone() {
    handler("old", 5, false, "x", "y");
    handler("new", 1, false, "x");
    message("x", "1", "{}");
    handler("old", 5, true, "x", "y");
    message("x", "2", "{}");
    message("y", "3", "{}");
    handlers.remove("new");
    message("x", "4", "{}");
    assertEquals(List.of("old:x:1", "new:x:2", "old:y:3", "old:x:4"), log);
  }

  @Test
  void aClaimWinsOverTheHandlerUntilItIsReleased() {
    handler("h", 0, false, "proxy_request", "proxy_request_chunk");
    message("proxy_request", "r", "{\"claim\":1}");
    handlers.remove("h");
    message("proxy_request_chunk", "r", "{}");
    message("anything", "r", "{}");
    handler("h2", 0, false, "proxy_request_chunk");
    inbound.release("r");
    message("proxy_request_chunk", "r", "{}");
    assertEquals(
        List.of(
            "h:proxy_request:r",
            "r got proxy_request_chunk",
            "r got anything",
            "h2:proxy_request_chunk:r"),
        log);
    assertTrue(inbound.claim("k", new Stream("k")));
    assertFalse(inbound.claim("k", new Stream("other")));
    assertTrue(inbound.forward("k", new Message("t", "", null)));
    assertFalse(inbound.forward("none", new Message("t", "", null)));
  }

  @Test
  void aBinaryBodyGoesToTheRequestThatAnnouncedIt() {
    handler("h", 0, false, "proxy_request");
    message("proxy_request", "a", "{\"body_binary\":true}");
    binary(0, 1, 2);
    message("proxy_request", "b", "{\"body_binary\":true}");
    message("proxy_request", "c", "{}");
    binary(0, 1, 2);
    assertEquals(
        List.of(
            "h:proxy_request:a",
            "body binary 3",
            "h:proxy_request:b",
            "body lost",
            "h:proxy_request:c"),
        log);
    assertEquals(1, metrics.count("pipeops_agent_link_invalid_messages_total"));
  }

  @Test
  void holdsForAFeatureThatIsAwayAndKeepsTheOrder() {
    message("proxy_request", "a", "{\"body_binary\":true,\"claim\":1}");
    binary(9, 9);
    message("proxy_request_chunk", "a", "{}");
    handler("h", 0, false, "proxy_request");
    message("proxy_request", "b", "{}");
    assertEquals(
        List.of(
            "wake",
            "h:proxy_request:a",
            "body binary 2",
            "a got proxy_request_chunk",
            "h:proxy_request:b"),
        log);
    assertTrue(answers.sent.isEmpty());
  }

  @Test
  void aHeldRequestGetsABodyThatComesAfterItWasHandedOut() {
    message("proxy_request", "a", "{\"body_binary\":true}");
    handler("h", 0, false, "proxy_request");
    inbound.deliverHeld();
    binary(1);
    assertEquals(List.of("wake", "h:proxy_request:a", "body binary 1"), log);
  }

  @Test
  void answersWhatWasHeldTooLong() {
    message("proxy_request", "a", "{}");
    message("proxy_request", "b", "{\"supports_response_streaming\":true,\"body_binary\":true}");
    long now = System.nanoTime();
    long next = inbound.expire(now);
    assertTrue(next - now > 0 && next - now <= 5_000_000_000L);
    assertEquals(Long.MAX_VALUE, inbound.expire(now + 6_000_000_000L));
    binary(1, 2);
    assertEquals(2, answers.sent.size());
    assertTrue(answers.sent.get(0).contains("\"proxy_error\""), answers.sent::toString);
    assertTrue(answers.sent.get(1).contains("\"proxy_response_abort\""), answers.sent::toString);
    assertEquals(0, metrics.count("pipeops_agent_link_invalid_messages_total"));
  }

  @Test
  void refusesWhatFindsNoRoom() {
    message("ws_start", "a", "{\"stream_id\":\"a\"}");
    message("tcp_tunnel_start", "b", "{}");
    message("proxy_request", "c", "{\"x\":\"" + "y".repeat(2000) + "\"}");
    assertEquals(1, answers.sent.size());
    message("proxy_request", "d", "{\"body_binary\":true}");
    message("tcp_tunnel_start", "e", "{}");
    inbound.expire(System.nanoTime() + 6_000_000_000L);
    assertEquals(5, answers.sent.size());
    assertTrue(answers.sent.get(0).contains("\"c\""), answers.sent::toString);
    assertTrue(answers.sent.get(1).contains("\"tcp_tunnel_close\""), answers.sent::toString);
  }

  @Test
  void aHandlerThatThrowsCostsItsMessageOnly() {
    LinkHandler broken =
        (message, reply) -> {
          throw new IllegalStateException("on purpose");
        };
    handlers.put("broken", broken, Map.of(LinkHandler.TYPES, "x"));
    message("x", "1", "{}");
    handler("fine", 1, false, "x");
    message("x", "2", "{}");
    assertEquals(List.of("fine:x:2"), log);
  }

  @Test
  void theLinksOwnMessagesAreNobodyElses() {
    handler("h", 0, false, "error", "ping", "register_success");
    inbound.claim("r", new Stream("r"));
    message("error", "r", "{}");
    message("register_success", "r", "{}");
    message("register_in_progress", "r", "{}");
    message("ping", "r", "{}");
    assertEquals(List.of("error", "registered", "registering"), log);
    assertTrue(answers.sent.get(0).contains("\"pong\""));
  }

  @Test
  void everyStreamIsToldOnce() {
    inbound.claim("a", new Stream("a"));
    inbound.claim("b", new Stream("b"));
    inbound.lost("x");
    inbound.lost("x");
    message("ping", "", "{}");
    assertEquals(2, log.size());
    assertFalse(inbound.claim("c", new Stream("c")));
    assertTrue(answers.sent.isEmpty());
  }

  @Test
  void listenersThatFailDoNotSpoilIt() {
    List<String> told = new java.util.concurrent.CopyOnWriteArrayList<>();
    StatusBoard board = new StatusBoard(state -> {});
    LinkListener broken =
        status -> {
          throw new IllegalStateException("on purpose");
        };
    board.add(broken);
    board.add(status -> told.add(status.reason()));
    board.state(io.pipeops.agent.api.link.LinkState.CONNECTING, "a");
    board.state(io.pipeops.agent.api.link.LinkState.CONNECTING, "a");
    board.state(io.pipeops.agent.api.link.LinkState.CONNECTED, "b");
    TestLink.await(() -> told.contains("b"), told::toString);
    assertEquals("b", told.get(told.size() - 1));
    board.close();
  }

  @Provide
  Arbitrary<byte[]> hostile() {
    Arbitrary<String> fragments =
        Arbitraries.of(
                "{",
                "}",
                "\"type\"",
                ":",
                ",",
                "\"proxy_request\"",
                "\"request_id\"",
                "\"payload\"",
                "\"ping\"",
                "\"error\"",
                "null",
                "[",
                "]",
                "1e999",
                "\"\\u0000\"",
                "\"body_binary\":true",
                "true",
                "\"\\ud800\"",
                " ",
                "\"register_success\"",
                "\"gateway_hello\"",
                "\"x\"")
            .list()
            .ofMaxSize(20)
            .map(parts -> String.join("", parts));
    Arbitrary<byte[]> nearly =
        Arbitraries.strings()
            .ofMaxLength(30)
            .map(
                s ->
                    ("{\"type\":\""
                            + s
                            + "\",\"request_id\":\""
                            + s
                            + "\",\"payload\":{\""
                            + s
                            + "\":1}}")
                        .getBytes(UTF_8));
    return Arbitraries.oneOf(
        Arbitraries.bytes().array(byte[].class).ofMaxSize(200),
        fragments.map(s -> s.getBytes(UTF_8)),
        nearly);
  }

  @Property(tries = 2000)
  void nothingThatComesInThrows(@ForAll("hostile") byte[] data, @ForAll boolean text) {
    handler("h", 0, false, "x");
    inbound.message(data, data.length, text);
    byte[] ping = "{\"type\":\"ping\",\"request_id\":\"still here\"}".getBytes(UTF_8);
    inbound.message(ping, ping.length, true);
    assertTrue(answers.sent.get(answers.sent.size() - 1).contains("still here"));
  }

  @Property(tries = 500)
  void fragmentsAddUpInAnArrayOfTheirOwn(@ForAll List<byte[]> parts) {
    java.io.ByteArrayOutputStream whole = new java.io.ByteArrayOutputStream();
    List<byte[]> out = new ArrayList<>();
    MessageAssembler assembler =
        new MessageAssembler(
            1 << 20, (data, length, text) -> out.add(java.util.Arrays.copyOf(data, length)));
    for (int i = 0; i < parts.size(); i++) {
      whole.writeBytes(parts.get(i));
      assertTrue(
          assembler.fragment(ByteBuffer.wrap(parts.get(i)), i == 0, true, i == parts.size() - 1));
    }
    if (!parts.isEmpty()) {
      assertEquals(1, out.size());
      org.junit.jupiter.api.Assertions.assertArrayEquals(whole.toByteArray(), out.get(0));
    }
  }
}
