package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.link.ProxyRule.Proxy;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Addresses, proxies, texts and waits: what needs no socket. */
class PeerUrlTest {
  @ParameterizedTest
  @CsvSource({
    "https://api.example.test, wss://api.example.test/api/v1/clusters/agent/ws",
    "http://10.0.0.5:8002/ignored/path, ws://10.0.0.5:8002/api/v1/clusters/agent/ws",
    "wss://api.example.test:444/?a=b, wss://api.example.test:444/api/v1/clusters/agent/ws?a=b",
    "HTTPS://[::1]:9/, wss://[::1]:9/api/v1/clusters/agent/ws"
  })
  void controllerAddress(String url, String expected) throws Exception {
    assertEquals(expected, PeerUrl.controller(url, true).toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ftp://x",
        "api.example.test",
        "",
        "https://",
        "https://u:p@x",
        "https://a b",
        "://",
        "x:y"
      })
  void noAddress(String url) {
    assertThrows(ConfigurationException.class, () -> PeerUrl.controller(url, true));
  }

  @Test
  void clearTextNeedsLeave() throws Exception {
    var e =
        assertThrows(
            ConfigurationException.class, () -> PeerUrl.controller("http://api.test", false));
    assertTrue(e.getMessage().contains("link.insecure"), e::getMessage);
    assertThrows(
        ConfigurationException.class, () -> PeerUrl.gateway("ws://gw.test", "1", "u", false));
    assertEquals("wss", PeerUrl.gateway("https://gw.test", "1", "u", false).getScheme());
  }

  @Test
  void gatewayAddress() throws Exception {
    assertEquals(
        "wss://gw-3.example.test/ws?agent_version=1.4.2&cluster_uuid=7c1f&supports_binary=true"
            + "&supports_response_streaming=true&supports_streaming=true&supports_websocket=true"
            + "&supports_yamux=true&zone=b",
        PeerUrl.gateway("wss://gw-3.example.test?zone=b", "1.4.2", "7c1f", false).toString());
    URI kept =
        PeerUrl.gateway(
            "wss://gw/?cluster_uuid=evil&token=x&a=1&a=2&supports_yamux=false",
            "1",
            "u&v=w",
            false);
    assertEquals("/", kept.getRawPath());
    assertFalse(kept.getRawQuery().contains("evil"));
    assertFalse(kept.getRawQuery().contains("token"));
    assertTrue(kept.getRawQuery().contains("a=1&a=2"), kept::toString);
    assertTrue(kept.getRawQuery().contains("cluster_uuid=u%26v%3Dw"), kept::toString);
  }

  @ParameterizedTest
  @CsvSource({
    "api.example.com, example.com, false",
    "api.example.com, .example.com, false",
    "api.example.com, *.example.com, false",
    "badexample.com, example.com, true",
    "api.example.com, api.example.com:443, false",
    "api.example.com, api.example.com:444, true",
    "10.1.2.3, 10.0.0.0/8, false",
    "11.1.2.3, 10.0.0.0/8, true",
    "10.1.2.3, 10.0.0.0/99, true",
    "'[fd00::1]', 'fd00::/8', false",
    "api.example.com, '*', false",
    "api.example.com, 'a.test, b.test', true",
    "b.test, 'a.test, b.test', false",
    "localhost, '', false",
    "127.0.0.9, '', false"
  })
  void whichHostsNeedTheProxy(String host, String except, boolean proxied) throws Exception {
    ProxyRule rule = new ProxyRule("http://proxy.test:3128", List.of(except));
    assertEquals(proxied, rule.forTarget(URI.create("wss://" + host + "/x")).isPresent());
  }

  @Test
  void proxyAddress() throws Exception {
    URI target = URI.create("wss://api.test/");
    Proxy proxy =
        new ProxyRule("http://us%40er:p%3Aw+d@proxy.test:3128", List.of()).forTarget(target).get();
    assertEquals("us@er", proxy.user());
    assertEquals("p:w+d", proxy.password());
    assertEquals("http://proxy.test:3128", proxy.toString());
    assertEquals(443, new ProxyRule("https://p.test", List.of()).forTarget(target).get().port());
    assertEquals(80, new ProxyRule("p.test", List.of()).forTarget(target).get().port());
    assertTrue(new ProxyRule("", List.of()).forTarget(target).isEmpty());
    for (String wrong : List.of("socks5://p:1", "http://:1", "http://user:pw@", "http://%zz@p")) {
      var e = assertThrows(ConfigurationException.class, () -> new ProxyRule(wrong, List.of()));
      assertFalse(e.getMessage().contains("pw"), e::getMessage);
    }
  }

  @Test
  void waitsDoubleUpToTheCapWithAQuarterAdded() {
    double[] random = {0};
    Backoff backoff = new Backoff(Duration.ofMillis(500), Duration.ofSeconds(15), () -> random[0]);
    List<Long> waits = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      waits.add(backoff.next().toMillis());
    }
    assertEquals(List.of(500L, 1000L, 2000L, 4000L, 8000L, 15000L, 15000L, 15000L), waits);
    random[0] = 1;
    assertEquals(18750, backoff.next().toMillis());
    backoff.reset();
    assertEquals(625, backoff.next().toMillis());
    assertEquals(18750, backoff.longest().toMillis());
  }

  @Test
  void textOfThePeerIsOneShortLine() {
    assertEquals("a  b c", PeerText.line(" a\r\nb\u0007c "));
    assertEquals(301, PeerText.line("x".repeat(5000)).length());
    assertEquals("", PeerText.line(null));
    assertEquals("bad *** here", PeerText.line("bad secret1 here", "secret1"));
  }
}
