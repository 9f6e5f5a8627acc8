package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.TestHub;
import java.io.ByteArrayOutputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Base64;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Request bodies that go by messages, with agents that grant windows and agents that do not. */
@Timeout(60)
class UploadWindowTest {
  private static final int BEFORE = 256 << 10;

  private final HttpClient client = HttpClient.newHttpClient();
  private final byte[] body = new byte[3_000_000];
  private final ByteArrayOutputStream received = new ByteArrayOutputStream();
  private final AtomicLong counted = new AtomicLong();
  private TestHub hub;
  private FakeAgent agent;

  @BeforeEach
  void start() throws Exception {
    hub = new TestHub();
    agent = FakeAgent.registered(hub, "one");
    new Random(7).nextBytes(body);
  }

  @AfterEach
  void stop() {
    agent.close();
    client.close();
    hub.close();
  }

  private CompletableFuture<HttpResponse<String>> upload() {
    return client.sendAsync(
        HttpRequest.newBuilder(hub.kube(agent.clusterId, "/api/v1/pods"))
            .header("Authorization", "Bearer client-" + agent.clusterId)
            .POST(BodyPublishers.ofByteArray(body))
            .build(),
        BodyHandlers.ofString());
  }

  private void keep(JsonNode chunk) {
    byte[] data = Base64.getDecoder().decode(chunk.at("/payload/data").asText());
    assertTrue(data.length <= ProxyRequestWindow.CHUNK);
    received.writeBytes(data);
    counted.addAndGet(data.length + ProxyRequestWindow.PER_CHUNK);
  }

  @Test
  void nothingIsSentBeyondWhatIsGranted() throws Exception {
    AtomicLong granted = new AtomicLong(BEFORE);
    CompletableFuture<Long> beyond = new CompletableFuture<>();
    agent.script(
        message -> {
          String id = message.path("request_id").asText();
          switch (message.path("type").asText()) {
            case "proxy_request" -> {
              assertTrue(message.at("/payload/body_window").asBoolean());
              agent.send(id, new ProxyRequestWindow(0));
            }
            case "proxy_request_chunk" -> {
              if (counted.get() >= granted.get()) {
                beyond.complete(counted.get() - granted.get());
              }
              keep(message);
              if (counted.get() >= granted.get()) {
                agent.send(id, new ProxyRequestWindow(granted.addAndGet(100_000)));
              }
            }
            case "proxy_request_stream_end" -> agent.answer(message, 201, "all");
            default -> {}
          }
        });
    assertEquals("all", upload().get(30, TimeUnit.SECONDS).body());
    assertArrayEquals(body, received.toByteArray());
    assertEquals(-1L, beyond.getNow(-1L));
  }

  @Test
  void anAgentThatGrantsNothingMoreHoldsTheBodyBack() throws Exception {
    CompletableFuture<JsonNode> request = new CompletableFuture<>();
    CompletableFuture<Long> held = new CompletableFuture<>();
    agent.script(
        message -> {
          switch (message.path("type").asText()) {
            case "proxy_request" -> {
              agent.send(message.path("request_id").asText(), new ProxyRequestWindow(BEFORE));
              request.complete(message);
            }
            case "proxy_request_chunk" -> {
              keep(message);
              if (counted.get() >= BEFORE) {
                held.complete(counted.get());
              }
            }
            default -> {}
          }
        });
    CompletableFuture<HttpResponse<String>> answer = upload();
    long before = held.get(10, TimeUnit.SECONDS);
    // Not even after the moment that an agent gets of which nothing is known.
    assertThrows(TimeoutException.class, () -> answer.get(2_500, TimeUnit.MILLISECONDS));
    assertEquals(before, counted.get());
    agent.answer(request.get(), 413, "enough");
    assertEquals(413, answer.get(10, TimeUnit.SECONDS).statusCode());
  }

  @Test
  void anAgentThatKnowsNoWindowIsSentAllOfItAndIsNotWaitedForAgain() throws Exception {
    agent.script(
        message -> {
          switch (message.path("type").asText()) {
            case "proxy_request_chunk" -> keep(message);
            case "proxy_request_stream_end" -> agent.answer(message, 201, "all");
            default -> {}
          }
        });
    assertEquals("all", upload().get(30, TimeUnit.SECONDS).body());
    assertArrayEquals(body, received.toByteArray());
    received.reset();
    assertEquals("all", upload().get(30, TimeUnit.SECONDS).body());
    assertArrayEquals(body, received.toByteArray());
  }

  @Test
  void aWindowThatIsNoneCostsTheRequestOnly() throws Exception {
    agent.script(
        message -> {
          if (message.path("type").asText().equals("proxy_request")) {
            agent.sendText(
                "{\"type\":\"proxy_request_window\",\"request_id\":\""
                    + message.path("request_id").asText()
                    + "\",\"payload\":{\"up_to\":-7}}");
          }
        });
    HttpResponse<String> answer = upload().get(30, TimeUnit.SECONDS);
    assertEquals(502, answer.statusCode());
    assertTrue(answer.body().contains("up_to"), answer.body());
    agent.serve(request -> agent.answer(request, 200, "fine"));
    assertEquals(
        "fine",
        client
            .send(
                HttpRequest.newBuilder(hub.kube(agent.clusterId, "/version"))
                    .header("Authorization", "Bearer client-" + agent.clusterId)
                    .build(),
                BodyHandlers.ofString())
            .body());
  }
}
