package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.protocol.ProxyRequest;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Dictionary;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/** The component's life: registration, draining, replaced neighbours, and what it leaves. */
@Isolated("looks for threads that are left in this process")
class FeatureTest {
  private final Bench.Numbers numbers = new Bench.Numbers();
  private volatile LinkHandler registered;
  private volatile Dictionary<?, ?> properties;
  private Target target;
  private Tunnel tunnel;
  private TunnelFeature feature;
  private Peer peer;

  @BeforeEach
  void start() throws Exception {
    target = Target.ok("hello");
    start(Duration.ofSeconds(10));
  }

  private void start(Duration drain) {
    Settings s = Bench.settings();
    tunnel =
        new Tunnel(
            new Settings(
                drain,
                s.maxStreams(),
                s.maxWaiting(),
                s.answer(),
                s.request(),
                s.idle(),
                s.bufferedBytes(),
                s.inboxBytes(),
                s.memoryBytes(),
                s.socketBytes(),
                s.ping(),
                false,
                false),
            (host, port, context, promise) ->
                promise.succeeded(List.of(new InetSocketAddress("127.0.0.1", port))));
    feature = new TunnelFeature(context(), tunnel);
    feature.bindMetrics(numbers);
    feature.bindServer(api(target));
    feature.start();
    peer = new Peer((message, reply) -> registered.handle(message, reply));
  }

  @AfterEach
  void stop() throws Exception {
    if (registered != null) {
      feature.stop();
    }
    target.close();
  }

  private static Bench.Api api(Target target) {
    return new Bench.Api(URI.create("http://127.0.0.1:" + target.port()), Optional.empty());
  }

  private BundleContext context() {
    Bundle bundle = proxy(Bundle.class, (self, method, args) -> 42L);
    ServiceRegistration<?> registration =
        proxy(
            ServiceRegistration.class,
            (self, method, args) -> {
              if (method.getName().equals("unregister")) {
                registered = null;
              } else {
                properties = (Dictionary<?, ?>) args[0];
              }
              return null;
            });
    return proxy(
        BundleContext.class,
        (self, method, args) -> {
          if (method.getName().equals("getBundle")) {
            return bundle;
          }
          registered = (LinkHandler) args[1];
          properties = (Dictionary<?, ?>) args[2];
          return registration;
        });
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static Set<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("tunnel"))
        .collect(Collectors.toSet());
  }

  @Test
  void registersItsTypesAndRanking() {
    assertArrayEquals(RequestHandler.TYPES_HANDLED, (String[]) properties.get("link.type"));
    assertEquals(42, properties.get("service.ranking"));
    assertEquals(false, properties.get("draining"));
    feature.drain(true);
    assertEquals(true, properties.get("draining"));
    feature.drain(false);
    assertEquals(false, properties.get("draining"));
  }

  @Test
  void drainingStillServesWhatComes() {
    feature.drain(true);
    peer.request("r", Bench.get(target, "/"));
    assertEquals("hello", peer.body("r"));
  }

  @Test
  void stopWaitsForWhatRuns() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    target.close();
    target =
        new Target(
            exchange -> {
              exchange.head();
              go.await(10, TimeUnit.SECONDS);
              exchange.ok("late");
            });
    peer.request("r", Bench.get(target, "/"));
    Bench.eventually(() -> target.connections.get() == 1);
    assertEquals(1, feature.openStreams());
    LinkHandler handler = registered;
    Thread stopping = Thread.startVirtualThread(feature::stop);
    Bench.eventually(() -> registered == null);
    Bench.eventually(() -> feature.execute().getStatus() == Result.Status.CRITICAL);
    new Peer(handler).deliver("x", ProxyRequest.builder("GET", "/").build());
    assertTrue(stopping.isAlive());
    go.countDown();
    assertEquals("late", peer.body("r"));
    stopping.join();
    assertEquals(0, feature.openStreams());
  }

  @Test
  void stopCutsWhatDoesNotEnd() throws Exception {
    feature.stop();
    start(Duration.ofMillis(200));
    target.close();
    target = new Target(Target.Exchange::head);
    target =
        new Target(
            exchange -> {
              exchange.head();
              exchange.awaitClose();
            });
    peer.request("a", Bench.get(target, "/"));
    peer.request("b", Bench.get(target, "/").supportsResponseStreaming(true));
    Bench.eventually(() -> target.connections.get() == 2);
    LinkHandler handler = registered;
    feature.stop();
    assertTrue(peer.error("a").startsWith("request cut"));
    assertTrue(peer.error("b").startsWith("request cut"));
    Peer late = new Peer(handler);
    late.request("c", Bench.get(target, "/"));
    assertTrue(late.error("c").startsWith("request cut"));
    assertEquals(0, feature.openStreams());
  }

  @Test
  void stopEndsEvenIfTheLinkIsStuck() throws Exception {
    feature.stop();
    start(Duration.ZERO);
    peer.room(0);
    peer.request("a", Bench.get(target, "/").supportsResponseStreaming(true));
    Bench.eventually(() -> target.heads.size() == 1);
    long begun = System.nanoTime();
    feature.stop();
    assertTrue(System.nanoTime() - begun < Duration.ofSeconds(8).toNanos());
    Bench.eventually(() -> feature.openStreams() == 0);
    assertNull(registered);
  }

  @Test
  void leavesNoThreads() throws Exception {
    peer.request("r", Bench.get(target, "/"));
    peer.request("s", ProxyRequest.builder("GET", "/api"));
    peer.awaitEnd("r");
    peer.awaitEnd("s");
    assertFalse(threads().isEmpty());
    feature.stop();
    Bench.eventually(() -> threads().isEmpty());
  }

  @Test
  void neighboursMayBeReplaced() throws Exception {
    Bench.Numbers later = new Bench.Numbers();
    peer.request("r", ProxyRequest.builder("GET", "/api"));
    assertEquals("hello", peer.body("r"));
    feature.bindMetrics(later);
    feature.unbindMetrics(numbers);
    try (Target other = Target.ok("other")) {
      Bench.Api before = api(target);
      Bench.Api after = api(other);
      feature.bindServer(after);
      feature.unbindServer(before);
      peer.request("s", ProxyRequest.builder("GET", "/api"));
      assertEquals("other", peer.body("s"));
      Bench.eventually(() -> later.get("requests_total", "target", "api") == 1);
      assertEquals(1, numbers.get("requests_total", "target", "api"));
      feature.unbindServer(after);
      assertEquals(Result.Status.TEMPORARILY_UNAVAILABLE, feature.execute().getStatus());
      peer.request("t", ProxyRequest.builder("GET", "/api"));
      assertTrue(peer.error("t").startsWith("kubernetes client not initialized"));
      feature.bindServer(after);
      assertEquals(Result.Status.OK, feature.execute().getStatus());
    }
    feature.unbindMetrics(later);
    peer.request("u", Bench.get(target, "/"));
    assertEquals("hello", peer.body("u"));
    assertEquals(2, later.gauges.size());
  }

  @Test
  void aWatchSurvivesTheReplacementOfTheApiServer() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    try (Target watched =
        new Target(
            exchange -> {
              exchange.head();
              exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
              go.await(10, TimeUnit.SECONDS);
              exchange.write("1\r\nb\r\n0\r\n\r\n");
            })) {
      feature.bindServer(api(watched));
      peer.request(
          "w",
          ProxyRequest.builder("GET", "/api").query("watch=1").supportsResponseStreaming(true));
      Bench.eventually(() -> peer.streamed("w").length == 1);
      feature.bindServer(api(target));
      peer.request("r", ProxyRequest.builder("GET", "/api"));
      assertEquals("hello", peer.body("r"));
      go.countDown();
      peer.awaitEnd("w");
      assertEquals("ab", new String(peer.streamed("w")));
    }
  }

  @Test
  void settingsChangeWhileItRuns() {
    Settings s = tunnel.settings();
    tunnel.settings(
        new Settings(
            s.drain(),
            1,
            0,
            s.answer(),
            s.request(),
            s.idle(),
            3,
            1024,
            1 << 20,
            1024,
            s.ping(),
            false,
            false));
    peer.request("r", Bench.get(target, "/"));
    assertTrue(peer.error("r").contains("more than 3 bytes"));
  }
}
