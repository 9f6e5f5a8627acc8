package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What arrives at the target, and what never gets there. */
class RoutingTest {
  private Bench bench;
  private Target target;

  @BeforeEach
  void start() throws Exception {
    bench = new Bench();
    target = Target.ok("hello");
    bench.api(target);
  }

  @AfterEach
  void stop() throws Exception {
    bench.assertClean();
    bench.close();
    target.close();
  }

  private String call(ProxyRequestBuilder request) {
    bench.peer.request("r", request);
    return bench.peer.body("r");
  }

  private String refused(ProxyRequestBuilder request) {
    bench.peer.request("r", request);
    String error = bench.peer.error("r");
    assertTrue(target.heads.isEmpty(), "nothing may reach the target");
    return error;
  }

  @Test
  void serviceRequestArrives() {
    assertEquals(
        "hello",
        call(
            Bench.get(target, "/a b/ü")
                .query("b=2&a=1;x")
                .headers(Headers.of("Authorization", "Bearer user"))));
    assertEquals("GET /a%20b/%C3%BC?b=2&a=1;x HTTP/1.1", target.requestLine());
    assertTrue(target.head().contains("Authorization: Bearer user\r\n"));
    assertTrue(
        target.head().contains("Host: web.demo.svc.cluster.local:" + target.port() + "\r\n"));
    assertEquals(1, bench.numbers.get("requests_total", "target", "service"));
    assertEquals(0, bench.numbers.get("requests_total", "target", "api"));
    Bench.eventually(() -> bench.numbers.get("request_seconds") == 1);
  }

  @Test
  void addsNothingOfItsOwn() {
    call(Bench.get(target, "/"));
    assertEquals(
        "GET / HTTP/1.1\r\nHost: web.demo.svc.cluster.local:" + target.port() + "\r\n\r\n",
        target.head());
  }

  @Test
  void apiRequestArrivesWithItsOwnTokenOrNone() {
    call(
        ProxyRequest.builder("GET", "api/v1/pods")
            .query("limit=5")
            .headers(
                Headers.of(
                    Map.of(
                        "authorization", java.util.List.of("Bearer scoped"),
                        "host", java.util.List.of("elsewhere")))));
    assertEquals("GET /api/v1/pods?limit=5 HTTP/1.1", target.requestLine());
    assertTrue(target.head().contains("Authorization: Bearer scoped\r\n"));
    assertTrue(target.head().contains("Host: 127.0.0.1:" + target.port() + "\r\n"));
    bench.tunnel.server(
        new Bench.Api(URI.create("http://127.0.0.1:" + target.port()), Optional.of("agents-own")));
    bench.peer.forget();
    call(ProxyRequest.builder("GET", "/version"));
    assertFalse(target.head().contains("Authorization"), target.head());
    assertEquals(2, bench.numbers.get("requests_total", "target", "api"));
  }

  @Test
  void agentCredentialsOnlyIfAskedForAndOnlyWithoutAuthorization() {
    Settings s = Bench.settings();
    bench.tunnel.settings(
        new Settings(
            s.drain(),
            1,
            1,
            s.answer(),
            s.request(),
            s.idle(),
            1024,
            1024,
            1 << 20,
            1024,
            s.ping(),
            false,
            true));
    bench.tunnel.server(
        new Bench.Api(URI.create("http://127.0.0.1:" + target.port()), Optional.of("agents-own")));
    call(ProxyRequest.builder("GET", "/version"));
    assertTrue(target.head().contains("Authorization: Bearer agents-own\r\n"));
    bench.peer.forget();
    call(ProxyRequest.builder("GET", "/version").headers(Headers.of("AUTHORIZATION", "Basic x")));
    assertTrue(target.head().contains("Authorization: Basic x\r\n"));
    assertFalse(target.head().contains("agents-own"));
    bench.peer.forget();
    call(Bench.get(target, "/"));
    assertFalse(target.head().contains("Authorization"), "never to a service");
  }

  @Test
  void basePathOfTheApiServerIsKept() {
    bench.tunnel.server(
        new Bench.Api(
            URI.create("http://127.0.0.1:" + target.port() + "/k8s/c1/"), Optional.empty()));
    call(ProxyRequest.builder("GET", "/api"));
    assertEquals("GET /k8s/c1/api HTTP/1.1", target.requestLine());
  }

  @Test
  void hostHeaderAndForwardedProto() {
    call(
        Bench.get(target, "")
            .headers(
                Headers.of(
                    Map.of(
                        "hOST", java.util.List.of("shop.example:8443"),
                        "X-Forwarded-Proto", java.util.List.of("http")))));
    assertEquals("GET / HTTP/1.1", target.requestLine());
    assertTrue(target.head().contains("Host: shop.example:8443\r\n"));
    assertTrue(target.head().contains("X-Forwarded-Proto: http\r\n"));
    assertEquals(1, target.head().split("(?i)\r\nhost:").length - 1);
  }

  @Test
  void hopByHopHeadersStay() {
    Headers.Builder headers = Headers.builder();
    headers.add("Connection", "keep-alive, X-Secret").add("Connection", "x-other");
    for (String name :
        "Keep-Alive,Proxy-Connection,Proxy-Authenticate,Proxy-Authorization,TE,Trailer,Trailers,"
            .concat("Transfer-Encoding,HTTP2-Settings,Content-Length,Expect,X-Secret,X-Other")
            .split(",")) {
      headers.add(name, "1");
    }
    headers.add("Cookie", "a=b").add("X-Many", "1").add("X-Many", "2").add("Upgrade", "h2c");
    call(Bench.get(target, "/").headers(headers.build()));
    assertEquals(
        "GET / HTTP/1.1\r\nCookie: a=b\r\nX-Many: 1\r\nX-Many: 2\r\nHost: web.demo.svc.cluster.local:"
            + target.port()
            + "\r\n\r\n",
        target.head());
  }

  @Test
  void utf8InHeadersSurvives() throws Exception {
    call(Bench.get(target, "/").headers(Headers.of("X-Name", "grün")));
    assertTrue(target.head().contains("X-Name: gr\u00c3\u00bcn\r\n"), "its UTF-8 bytes");
  }

  @Test
  void doubleSlashesAndOddPathsStayPaths() {
    for (String path : new String[] {"//evil.test/x", "/http:/evil", "/a//b", "/;x=1", "/@evil"}) {
      bench.peer.forget();
      call(Bench.get(target, path));
      assertEquals("GET " + path + " HTTP/1.1", target.requestLine());
    }
    bench.peer.forget();
    call(ProxyRequest.builder("GET", "//evil.test/api"));
    assertEquals("GET //evil.test/api HTTP/1.1", target.requestLine());
  }

  @Property(tries = 200)
  void noPathEscapes(@ForAll String path) throws Exception {
    try (Bench own = new Bench();
        Target echo = Target.ok("x")) {
      own.peer.request("f", Bench.get(echo, "/" + path));
      own.peer.awaitEnd("f");
      for (String head : echo.heads) {
        assertEquals(
            2, head.split("\r\n").length, "a request line and Host, nothing else: " + head);
        assertTrue(head.startsWith("GET /"), head);
      }
      own.assertClean();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"../x", "@evil.test/x", "/a/../b", "/x://y", "http://evil.test/"})
  void hostileServicePathsAreRefused(String path) {
    assertEquals("invalid path", refused(Bench.get(target, path)));
  }

  @Test
  void encodedDotsAreTextUnlessConfigured() {
    call(Bench.get(target, "/%2e%2e/x"));
    assertEquals("GET /%252e%252e/x HTTP/1.1", target.requestLine());
  }

  @ParameterizedTest
  @CsvSource({
    "WEB,demo,80,invalid service name",
    "web.evil,demo,80,invalid service name",
    "-web,demo,80,invalid service name",
    "web,de mo,80,invalid namespace",
    "web,demo-,80,invalid namespace",
    "web,demo,65536,invalid service port"
  })
  void badServicesAreRefused(String name, String namespace, int port, String error) {
    assertEquals(
        error,
        refused(
            ProxyRequest.builder("GET", "/")
                .serviceName(name)
                .namespace(namespace)
                .servicePort(port)));
    assertEquals(1, bench.numbers.get("errors_total", "reason", "invalid"));
  }

  @Test
  void incompleteRouteNeverReachesTheApi() {
    for (ProxyRequestBuilder request :
        new ProxyRequestBuilder[] {
          ProxyRequest.builder("GET", "/api").serviceName("web"),
          ProxyRequest.builder("GET", "/api").namespace("demo"),
          ProxyRequest.builder("GET", "/api").serviceName("web").servicePort(80)
        }) {
      bench.peer.forget();
      assertTrue(refused(request).startsWith("incomplete service routing information"));
    }
  }

  @Test
  void headerInjectionIsRefused() {
    for (Headers headers :
        new Headers[] {
          Headers.of("X-A", "b\r\nX-Evil: 1"),
          Headers.of("X-A\r\nX-Evil", "1"),
          Headers.of("X A", "1"),
          Headers.of("", "1"),
          Headers.of("X-A", "a\u0000b"),
          Headers.of("Host", "a b"),
          Headers.of("Host", "evil/x")
        }) {
      bench.peer.forget();
      assertTrue(
          refused(Bench.get(target, "/").headers(headers)).startsWith("invalid "),
          headers.toString());
    }
  }

  @Test
  void badMethodsAndQueriesAreRefused() {
    assertEquals("invalid method", refused(Bench.to(target, "G E T", "/")));
    bench.peer.forget();
    assertEquals("invalid method", refused(Bench.to(target, "CONNECT", "/")));
    bench.peer.forget();
    assertEquals("invalid query string", refused(Bench.get(target, "/").query("a b")));
  }

  @Test
  void withoutApiServerEverythingFails() {
    bench.tunnel.server(null);
    assertTrue(refused(Bench.get(target, "/")).startsWith("kubernetes client not initialized"));
    bench.peer.forget();
    assertTrue(
        refused(ProxyRequest.builder("GET", "/api"))
            .startsWith("kubernetes client not initialized"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"exec", "attach", "portforward"})
  void sessionsAreRefusedAtOnce(String kind) {
    String error =
        refused(ProxyRequest.builder("POST", "/api/v1/namespaces/demo/pods/web-0/" + kind));
    assertTrue(error.startsWith(kind + " not supported"), error);
    assertEquals(1, bench.numbers.get("errors_total", "reason", "unsupported"));
  }

  @Test
  void spdyIsRefusedAtOnce() {
    String error =
        refused(ProxyRequest.builder("GET", "/api").headers(Headers.of("upgrade", "SPDY/3.1")));
    assertTrue(error.startsWith("SPDY not supported"), error);
  }

  @Test
  void malformedRequestsWithAnIdAreAnswered() {
    bench.peer.deliver("proxy_request", "a", null);
    assertEquals(ProxyError.TYPE, bench.peer.awaitEnd("a").type());
    bench.peer.deliver(
        "proxy_request",
        "b",
        "{\"path\":\"/\",\"body\":\"*\",\"body_encoding\":\"base64\","
            + "\"supports_response_streaming\": true}");
    assertEquals(ProxyResponseAbort.TYPE, bench.peer.awaitEnd("b").type());
    assertTrue(bench.peer.error("b").toLowerCase(Locale.ROOT).contains("base64"));
    bench.peer.deliver("proxy_request", "", "{\"path\":\"/\"}");
    bench.peer.deliver("proxy_request_chunk", "unknown", "{\"data\":\"\"}");
    bench.peer.cancel("unknown");
    assertEquals(2, bench.peer.all().size());
  }

  @Test
  void refusalsArriveEvenIfTheShortWayIsFull() {
    bench.peer.full(true);
    bench.peer.deliver("proxy_request", "a", null);
    assertEquals(ProxyError.TYPE, bench.peer.awaitEnd("a").type());
  }
}
