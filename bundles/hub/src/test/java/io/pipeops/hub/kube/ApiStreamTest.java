package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.hub.RawClient;
import io.pipeops.hub.StreamAgent;
import io.pipeops.hub.TestHub;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests that go to the API server by streams, with the API server's words in the test. */
@Timeout(120)
class ApiStreamTest {
  private TestHub hub;
  private StreamAgent agent;
  private final AtomicInteger streams = new AtomicInteger();
  private final List<String> heads = new CopyOnWriteArrayList<>();

  /** What an API server answers to a head. */
  private interface Api {
    void answer(String head, YamuxStream stream) throws Exception;
  }

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub(TestHub.quick(), io.pipeops.hub.HubListener.local(), "");
  }

  @AfterEach
  void stop() {
    if (agent != null) {
      agent.close();
    }
    hub.close();
  }

  private void serve(int greeting, Api api) throws Exception {
    agent =
        StreamAgent.connect(
            hub,
            "lab",
            Set.of(Extensions.API_STREAM),
            (header, stream) -> {
              assertEquals(StreamHeader.API, header.protocol());
              streams.incrementAndGet();
              stream.write(ByteBuffer.wrap(new byte[] {(byte) greeting}));
              for (String head = StreamAgent.head(stream);
                  head != null;
                  head = StreamAgent.head(stream)) {
                heads.add(head);
                api.answer(head, stream);
              }
            });
    TestHub.await(
        "the agent's answer",
        () ->
            hub.sessions
                .session(agent.clusterId())
                .filter(s -> s.streams().knows(Extensions.API_STREAM))
                .isPresent());
  }

  private RawClient client() throws Exception {
    return new RawClient(hub);
  }

  private String request(String line, String... headers) {
    return line.replace("/k/", "/k8s/clusters/" + agent.clusterId() + "/")
        + " HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer client-"
        + agent.clusterId()
        + "\r\n"
        + String.join("", headers)
        + "\r\n";
  }

  @Test
  void eventsOfAFollowedLogAreWholeAtOnce() throws Exception {
    BlockingQueue<String> lines = new LinkedBlockingQueue<>();
    serve(
        0,
        (head, stream) -> {
          StreamAgent.write(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          for (String line = lines.take(); !line.isEmpty(); line = lines.take()) {
            StreamAgent.write(stream, "5\r\n" + line + "\r\n");
          }
          StreamAgent.write(stream, "0\r\n\r\n");
        });
    try (RawClient client = client()) {
      client.send(request("GET /k/api/v1/namespaces/a/pods/b/log?follow=true"));
      String head = client.head();
      assertEquals(2, head.split("Transfer-Encoding: chunked\r\n", -1).length, head);
      for (int i = 0; i < 3; i++) {
        lines.add("log" + i + "\n");
        assertEquals("log" + i + "\n", client.wholeChunk());
      }
      lines.add("");
      assertEquals("", client.wholeChunk());
      assertEquals("", client.rest());
    }
  }

  @Test
  void oneStreamCarriesRequestAfterRequest() throws Exception {
    serve(
        0,
        (head, stream) ->
            StreamAgent.write(
                stream,
                head.startsWith("GET /api/v1/a%20b?x=%2F ")
                    ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello"
                    : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n"
                        + "0\r\n\r\n"));
    try (RawClient client = client()) {
      for (int i = 0; i < 3; i++) {
        client.send(
            request("GET /k/api/v1/a%20b?x=%2F", "X-Remote-User: admin\r\nAccept: a/b\r\n"));
        String head = client.head();
        assertTrue(head.contains("X-A: 1"), head);
        assertEquals("hello", client.body(head));
        client.send(request("GET /k/api"));
        assertEquals("abcde", client.body(client.head()));
      }
    }
    assertEquals(1, streams.get());
    assertTrue(heads.getFirst().contains("Accept: a/b\r\n"), heads.getFirst());
    assertFalse(heads.getFirst().contains("Authorization"), "the hub has no token for it");
    assertFalse(heads.getFirst().contains("X-Remote-User"), heads.getFirst());
  }

  @Test
  void theClustersTokenIsSentOnlyToAgentsThatAddNone() throws Exception {
    serve(2, (head, stream) -> StreamAgent.write(stream, "HTTP/1.1 204 No Content\r\n\r\n"));
    try (RawClient client = client()) {
      client.send(request("GET /k/version"));
      assertEquals(204, client.status());
    }
    assertTrue(
        heads.getFirst().contains("Authorization: Bearer service-token\r\n"), heads.getFirst());
  }

  @Test
  void aConnectionThatDiedWhileItWaitedIsReplacedForWhatMayBeRepeated() throws Exception {
    AtomicInteger answered = new AtomicInteger();
    serve(
        0,
        (head, stream) -> {
          if (answered.incrementAndGet() == 2) {
            stream.reset();
          } else {
            StreamAgent.write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
          }
        });
    try (RawClient client = client()) {
      for (int i = 0; i < 2; i++) {
        client.send(request("GET /k/version"));
        assertEquals("ok", client.body(client.head()));
      }
    }
    assertEquals(2, streams.get());
    answered.set(1);
    try (RawClient client = client()) {
      client.send(request("DELETE /k/api/v1/x"));
      assertEquals(502, client.status(), "it may have been carried out");
    }
  }

  @Test
  void aLargeBodyIsHeldBackByTheClusterAndLosesNothing() throws Exception {
    AtomicLong received = new AtomicLong();
    BlockingQueue<String> go = new LinkedBlockingQueue<>();
    long size = 40L << 20;
    serve(
        0,
        (head, stream) -> {
          go.poll(60, TimeUnit.SECONDS);
          while (received.get() < size) {
            received.addAndGet(stream.take(Duration.ofSeconds(30)).remaining());
          }
          StreamAgent.write(stream, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        });
    try (RawClient client = client()) {
      client.send(request("PUT /k/api/v1/x", "Content-Length: " + size + "\r\n"));
      Thread sender =
          Thread.ofVirtual()
              .start(
                  () -> {
                    String piece = "x".repeat(1 << 20);
                    try {
                      for (int i = 0; i < 40; i++) {
                        client.send(piece);
                      }
                    } catch (java.io.IOException e) {
                      throw new IllegalStateException(e);
                    }
                  });
      assertFalse(sender.join(Duration.ofMillis(400)), "40 MiB do not fit anywhere");
      go.add("go");
      assertEquals(201, client.status());
      sender.join();
      assertEquals(size, received.get());
    }
  }

  @Test
  void afterASwitchOfProtocolsBytesPassAsTheyAre() throws Exception {
    serve(
        0,
        (head, stream) -> {
          StreamAgent.write(
              stream,
              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                  + "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nearly");
          for (ByteBuffer b = stream.take(Duration.ZERO);
              b != null;
              b = stream.take(Duration.ZERO)) {
            stream.write(b);
          }
        });
    try (RawClient client = client()) {
      client.send(
          request(
                  "POST /k/api/v1/namespaces/a/pods/b/exec?command=x",
                  "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n",
                  "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n")
              + "with the handshake");
      String head = client.head();
      assertTrue(head.startsWith("HTTP/1.1 101 "), head);
      assertTrue(head.contains("Upgrade: SPDY/3.1\r\n"), head);
      assertEquals("early", client.read(5));
      assertEquals("with the handshake", client.read(18));
      client.send("\u0080\u0003\r\n\r\n");
      assertEquals("\u0080\u0003\r\n\r\n", client.read(6));
      assertTrue(heads.getFirst().contains("Upgrade: SPDY/3.1\r\n"), heads.getFirst());
    }
    TestHub.await("no stream stays", () -> agent.session.activeStreams() == 0);
  }

  @Test
  void aRefusedUpgradeReachesTheClientInTheClustersWords() throws Exception {
    serve(
        0,
        (head, stream) ->
            StreamAgent.write(stream, "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied"));
    try (RawClient client = client()) {
      client.send(
          request(
              "GET /k/api/v1/namespaces/a/pods/b/exec",
              "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a,"
                  + " base64url.bearer.authorization.k8s.io.c2VjcmV0\r\n"));
      String head = client.head();
      assertTrue(head.startsWith("HTTP/1.1 403 "), head);
      assertEquals("denied", client.body(head));
      assertTrue(heads.getFirst().contains("Sec-WebSocket-Protocol: a\r\n"), heads.getFirst());
    }
  }

  @Test
  void aClientThatVanishesEndsTheStream() throws Exception {
    BlockingQueue<String> watching = new LinkedBlockingQueue<>();
    serve(
        0,
        (head, stream) -> {
          StreamAgent.write(
              stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n");
          watching.add(head);
        });
    RawClient client = client();
    client.send(request("GET /k/api/v1/pods?watch=1"));
    assertEquals("{", String.valueOf(client.chunkOf(client.head())));
    watching.poll(10, TimeUnit.SECONDS);
    client.close();
    TestHub.await("no stream stays", () -> agent.session.activeStreams() == 0);
  }

  @Test
  void brokenAnswersNeverLookWhole() throws Exception {
    BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    serve(
        0,
        (head, stream) -> {
          StreamAgent.write(stream, answers.take());
          stream.shutdownOutput();
        });
    for (String answer :
        List.of(
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 999 X\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "")) {
      answers.add(answer);
      try (RawClient client = client()) {
        client.send(request("POST /k/api/v1/x", "Content-Length: 0\r\n"));
        assertEquals(502, client.status(), answer);
      }
    }
    for (String answer :
        List.of(
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")) {
      answers.add(answer);
      try (RawClient client = client()) {
        client.send(request("POST /k/api/v1/x", "Content-Length: 0\r\nConnection: close\r\n"));
        String rest = client.rest();
        assertFalse(rest.endsWith("0\r\n\r\n"), rest);
        assertFalse(rest.contains("abcdefghij"), rest);
      }
    }
  }

  @Test
  void anAgentWhoseFastPathRefusesGetsMessages() throws Exception {
    agent =
        StreamAgent.connect(
            hub,
            "lab",
            Set.of(Extensions.API_STREAM),
            (header, stream) -> {
              streams.incrementAndGet();
              StreamAgent.write(stream, "\u0001switched off");
              stream.shutdownOutput();
              stream.take(Duration.ofSeconds(10));
            });
    agent.agent.serve(request -> agent.agent.answer(request, 200, "by message"));
    TestHub.await(
        "the agent's answer",
        () -> hub.sessions.session(agent.clusterId()).get().streams().ready());
    try (RawClient client = client()) {
      for (int i = 0; i < 3; i++) {
        client.send(request("GET /k/version"));
        assertEquals("by message", client.body(client.head()));
      }
    }
    assertEquals(1, streams.get(), "it is not asked again at once");
  }

  @Test
  void hostileFramesOfAnAgentCostItsConnectionOnly() throws Exception {
    serve(0, (head, stream) -> {});
    agent.agent.sendBinary(java.util.HexFormat.of().parseHex("0000000100000002ffffffff"));
    TestHub.await("closed", () -> hub.sessions.session(agent.clusterId()).isEmpty());
  }
}
