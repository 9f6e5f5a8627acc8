package io.pipeops.hub;

import com.fasterxml.jackson.databind.JsonNode;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.WindowBudget;
import io.pipeops.agent.protocol.yamux.YamuxSession;
import io.pipeops.agent.protocol.yamux.YamuxSettings;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.agent.protocol.yamux.YamuxTransport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;

/** An agent that carries streams; what each stream leads to is the test's to say. */
public final class StreamAgent implements AutoCloseable {
  /** Serves one stream, on a thread of its own. */
  public interface Server {
    void serve(StreamHeader header, YamuxStream stream) throws Exception;
  }

  public final FakeAgent agent;
  public final JsonNode hello;
  public final YamuxSession session;

  private StreamAgent(FakeAgent agent, JsonNode hello, Set<String> extensions, Server server) {
    this.agent = agent;
    this.hello = hello;
    agent.send("", new GatewayHelloAck(true, Extensions.fields(extensions)));
    session =
        YamuxSession.client(
            YamuxSettings.DEFAULT.with(256 << 10, Duration.ZERO, Duration.ofSeconds(30)),
            new YamuxTransport() {
              @Override
              public synchronized void data(int stream, ByteBuffer frame) {
                offer(frame);
              }

              @Override
              public synchronized boolean offer(ByteBuffer frame) {
                byte[] bytes = new byte[frame.remaining()];
                frame.get(bytes);
                agent.sendBinary(bytes);
                return true;
              }
            },
            new WindowBudget(64 << 20));
    agent.binary(bytes -> session.feed(ByteBuffer.wrap(bytes)));
    Thread.ofVirtual().start(() -> accept(server));
  }

  /** Connects, registers and accepts the hub's offer. */
  public static StreamAgent connect(TestHub hub, String name, Set<String> extensions, Server server)
      throws Exception {
    hub.offerStreams();
    FakeAgent agent = FakeAgent.registered(hub, name);
    return new StreamAgent(agent, agent.take("gateway_hello"), extensions, server);
  }

  public String clusterId() {
    return agent.clusterId;
  }

  private void accept(Server server) {
    try {
      for (YamuxStream next = session.accept(); next != null; next = session.accept()) {
        YamuxStream stream = next;
        Thread.ofVirtual()
            .start(
                () -> {
                  try (stream) {
                    server.serve(StreamHeader.read(stream, Duration.ofSeconds(10)), stream);
                  } catch (IOException e) {
                    // The hub has ended the stream.
                  } catch (Exception e) {
                    throw new IllegalStateException(e);
                  }
                });
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Reads to the end of a request's head; null if the stream ends before. */
  public static String head(YamuxStream stream) throws IOException, InterruptedException {
    StringBuilder head = new StringBuilder();
    ByteBuffer one = ByteBuffer.allocate(1);
    while (head.indexOf("\r\n\r\n") < 0) {
      one.clear();
      if (stream.read(one) < 0) {
        return null;
      }
      head.append((char) one.get(0));
      if (head.toString().equals("\r\n")) {
        head.setLength(0);
      }
    }
    return head.toString();
  }

  public static void write(YamuxStream stream, String text)
      throws IOException, InterruptedException {
    stream.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1)));
  }

  @Override
  public void close() {
    session.lost("over");
    agent.vanish();
  }
}
