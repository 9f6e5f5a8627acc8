package io.pipeops.agent.forward;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkStream;
import io.pipeops.agent.api.link.StreamOpen;
import io.pipeops.agent.protocol.yamux.WindowBudget;
import io.pipeops.agent.protocol.yamux.YamuxSession;
import io.pipeops.agent.protocol.yamux.YamuxSettings;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.agent.protocol.yamux.YamuxTransport;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLContext;

/** The bundle without OSGi and a yamux session pair, so that real streams meet real sockets. */
final class Fixture implements AutoCloseable {
  static final Duration WAIT = Duration.ofSeconds(30);

  final Forwarding all;
  final StreamDesk desk;
  final YamuxSession hub;
  final YamuxSession agent;
  private final Side toAgent = new Side();
  private final Side toHub = new Side();
  private int port = 1;

  Fixture(Settings settings) {
    all = new Forwarding(settings, Fixture::resolve);
    desk = new StreamDesk(all);
    WindowBudget budget = new WindowBudget(64 << 20);
    hub = YamuxSession.server(YamuxSettings.DEFAULT, toAgent, budget);
    agent = YamuxSession.client(YamuxSettings.DEFAULT, toHub, budget);
    toAgent.feed(agent);
    toHub.feed(hub);
  }

  static InetAddress[] resolve(String host) throws UnknownHostException {
    if (host.startsWith("unknown")) {
      throw new UnknownHostException(host);
    }
    if (host.startsWith("metadata")) {
      return new InetAddress[] {InetAddress.getByName("169.254.169.254")};
    }
    return new InetAddress[] {InetAddress.getLoopbackAddress()};
  }

  static Settings settings() {
    return settings(true, Duration.ZERO, 10);
  }

  static Settings settings(boolean local, Duration idle, int limit) {
    return new Settings(
        true,
        true,
        true,
        true,
        List.of(TargetPattern.parse("*")),
        List.of(TargetPattern.parse("secret.*:*")),
        local,
        limit,
        limit,
        limit,
        idle,
        idle.isZero() ? Duration.ofMinutes(5) : idle,
        Duration.ofSeconds(10),
        16 << 20,
        Duration.ofSeconds(1));
  }

  /** Opens a stream from the hub's side, served on a thread as the link would. */
  YamuxStream open(String protocol, String service, int target) throws Exception {
    YamuxStream stream = hub.open();
    stream.write(ByteBuffer.wrap(new byte[] {(byte) port++}));
    YamuxStream accepted = agent.accept();
    accepted.read(ByteBuffer.allocate(1));
    StreamOpen open = new StreamOpen(protocol, service, "ns", target, "t", WAIT);
    Thread.ofVirtual()
        .start(
            () -> {
              try (accepted) {
                desk.accept(open, accepted);
              } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    return stream;
  }

  static void await(BooleanSupplier condition, String what) {
    long end = System.nanoTime() + WAIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError(what);
      }
      java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
    }
  }

  static byte[] read(LinkStream stream, int length) throws Exception {
    ByteBuffer all = ByteBuffer.allocate(length);
    while (all.hasRemaining()) {
      if (stream.read(all) < 0) {
        throw new AssertionError("the end after " + all.position() + " bytes");
      }
    }
    return all.array();
  }

  @Override
  public void close() {
    hub.lost("over");
    agent.lost("over");
    toAgent.queue.add(Side.END);
    toHub.queue.add(Side.END);
    all.close();
  }

  private static final class Side implements YamuxTransport {
    private static final ByteBuffer END = ByteBuffer.allocate(0);
    private final LinkedBlockingQueue<ByteBuffer> queue = new LinkedBlockingQueue<>();

    @Override
    public void data(int stream, ByteBuffer frame) {
      queue.add(frame);
    }

    @Override
    public boolean offer(ByteBuffer frame) {
      return queue.add(frame);
    }

    void feed(YamuxSession session) {
      Thread.ofVirtual()
          .start(
              () -> {
                try {
                  for (ByteBuffer b = queue.take(); b != END; b = queue.take()) {
                    session.feed(b);
                  }
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
    }
  }

  /** An API server at this address, without TLS. */
  static ApiServer server(int port) {
    return new ApiServer() {
      @Override
      public URI base() {
        return URI.create("http://127.0.0.1:" + port + "/base/");
      }

      @Override
      public SSLContext anonymous() {
        throw new IllegalStateException();
      }

      @Override
      public SSLContext identified() {
        throw new IllegalStateException();
      }

      @Override
      public Optional<String> token() {
        return Optional.of("agents-own");
      }

      @Override
      public String namespace() {
        return "pipeops";
      }

      @Override
      public String clusterDomain() {
        return "cluster.test";
      }

      @Override
      public String caPem() {
        return "";
      }
    };
  }
}
