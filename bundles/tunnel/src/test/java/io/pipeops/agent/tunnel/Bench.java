package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleSupplier;
import javax.net.ssl.SSLContext;
import org.eclipse.jetty.util.SocketAddressResolver;

/** The tunnel on a bench: a peer on one side, services and an API server on loopback behind it. */
final class Bench implements AutoCloseable {
  /** Every service lies on this machine; the name "nowhere" does not exist. */
  private static final SocketAddressResolver LOOPBACK =
      (host, port, context, promise) -> {
        if (host.startsWith("nowhere.")) {
          promise.failed(new java.net.UnknownHostException(host));
        } else {
          promise.succeeded(List.of(new InetSocketAddress("127.0.0.1", port)));
        }
      };

  final Numbers numbers = new Numbers();
  final Tunnel tunnel;
  final RequestHandler handler;
  final Peer peer;

  Bench() {
    this(settings());
  }

  Bench(Settings settings) {
    tunnel = new Tunnel(settings, LOOPBACK);
    tunnel.meters().use(numbers);
    tunnel.server(new Api(URI.create("http://127.0.0.1:1"), Optional.empty()));
    handler = new RequestHandler(tunnel);
    peer = new Peer(handler);
  }

  static Settings settings() {
    return new Settings(
        Duration.ofSeconds(1),
        256,
        1024,
        Duration.ofSeconds(10),
        Duration.ofSeconds(20),
        Duration.ofSeconds(20),
        1 << 20,
        1 << 20,
        64 << 20,
        1 << 20,
        Duration.ofSeconds(30),
        false,
        false);
  }

  static Settings limits(Duration answer, Duration request, Duration idle) {
    Settings s = settings();
    return new Settings(
        s.drain(),
        s.maxStreams(),
        s.maxWaiting(),
        answer,
        request,
        idle,
        s.bufferedBytes(),
        s.inboxBytes(),
        s.memoryBytes(),
        s.socketBytes(),
        s.ping(),
        false,
        false);
  }

  static Settings bounds(int streams, int waiting, int buffered, int inbox, long memory) {
    Settings s = settings();
    return new Settings(
        s.drain(),
        streams,
        waiting,
        s.answer(),
        s.request(),
        s.idle(),
        buffered,
        inbox,
        memory,
        s.socketBytes(),
        s.ping(),
        false,
        false);
  }

  void api(Target target) {
    tunnel.server(new Api(URI.create("http://127.0.0.1:" + target.port()), Optional.empty()));
  }

  static ProxyRequestBuilder get(Target target, String path) {
    return to(target, "GET", path);
  }

  static ProxyRequestBuilder to(Target target, String method, String path) {
    return ProxyRequest.builder(method, path)
        .namespace("demo")
        .serviceName("web")
        .servicePort(target.port());
  }

  static void eventually(BooleanSupplier condition) {
    long until = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - until > 0) {
        throw new AssertionError("condition did not come true");
      }
      LockSupport.parkNanos(500_000);
    }
  }

  /** Checks that nothing is left of any stream. */
  void assertClean() {
    eventually(() -> tunnel.streams().open() == 0);
    eventually(() -> tunnel.budget().taken() == 0);
    eventually(() -> peer.claims() == 0);
  }

  @Override
  public void close() {
    tunnel.close();
  }

  /** An API server as the test wants it. */
  record Api(URI base, Optional<String> token) implements ApiServer {
    @Override
    public SSLContext anonymous() {
      try {
        return SSLContext.getDefault();
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    public SSLContext identified() {
      return anonymous();
    }

    @Override
    public String namespace() {
      return "agent";
    }

    @Override
    public String clusterDomain() {
      return "cluster.local";
    }

    @Override
    public String caPem() {
      return "";
    }
  }

  /** Keeps every series by name and label values. */
  static final class Numbers implements Metrics {
    private final Map<String, AtomicLong> counters = new ConcurrentHashMap<>();
    final Map<String, DoubleSupplier> gauges = new ConcurrentHashMap<>();

    long get(String name, String... labels) {
      AtomicLong counter = counters.get(key(name, labels));
      return counter == null ? -1 : counter.get();
    }

    private static String key(String name, String... labels) {
      return name.replace("pipeops_agent_tunnel_", "") + List.of(labels);
    }

    @Override
    public Counter counter(String name, String help, String... labels) {
      AtomicLong counter = counters.computeIfAbsent(key(name, labels), k -> new AtomicLong());
      return counter::addAndGet;
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {
      gauges.put(key(name, labels), value);
    }

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      AtomicLong count = counters.computeIfAbsent(key(name, labels), k -> new AtomicLong());
      return value -> count.incrementAndGet();
    }
  }
}
