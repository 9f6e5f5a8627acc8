package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PathsTest {
  @Test
  void encodesOnceAndKeepsWhatMayStand() {
    assertEquals("/a-_.~$&+,/:;=@", Paths.encode("/a-_.~$&+,/:;=@", false));
    assertEquals("/a%20b%3Fc%23d%25e", Paths.encode("/a b?c#d%e", false));
    assertEquals("/gr%C3%BC%C3%9Fe", Paths.encode("/grüße", false));
    assertEquals("/%0D%0AX:%20y", Paths.encode("/\r\nX: y", false));
    assertEquals("/a%2520b", Paths.encode("/a%20b", false));
    assertEquals("/a%20b%25zz%251", Paths.encode("/a%20b%zz%1", true));
  }

  @Property
  void anyTextComesBackAndIsHarmless(@ForAll String text) {
    String encoded = Paths.encode(text, false);
    assertTrue(encoded.chars().allMatch(c -> c > ' ' && c < 0x7F && c != '?' && c != '#'));
    String utf8 = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    assertEquals(utf8, URLDecoder.decode(encoded.replace("+", "%2B"), StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a", "@evil.test/x", "/../x", "/a/..", "/a..b", "/x://y", "http://evil.test/"})
  void refusesHostileServicePaths(String path) {
    assertThrows(Failure.class, () -> Paths.checkService(path, false));
  }

  @ParameterizedTest
  @ValueSource(strings = {"/%2e%2e/x", "/a/%2E./b", "/a%2f..%2fb", "/..%5cx", "/%2e%2E"})
  void refusesEncodedClimbsWhereTheyWouldCount(String path) {
    assertThrows(Failure.class, () -> Paths.checkService(path, true));
    assertThrows(Failure.class, () -> Paths.checkApi(path, true));
  }

  @Test
  void apiNamesMayHoldDots() throws Exception {
    assertEquals("/apis/x/a..b", Paths.checkApi("/apis/x/a..b", false));
    assertEquals("/api", Paths.checkApi("api", false));
    assertThrows(Failure.class, () -> Paths.checkApi("/api/../x", false));
    assertThrows(Failure.class, () -> Paths.checkApi("/api/./x", false));
  }

  @ParameterizedTest
  @ValueSource(strings = {"a=b c", "a=\r\nX: y", "a=#b", "\u0000", "a\u007f"})
  void refusesHostileQueries(String query) {
    assertThrows(Failure.class, () -> Paths.query(query));
  }

  @Test
  void queriesPassVerbatim() throws Exception {
    assertEquals("b=2&a=%zz&c;d&e", Paths.query("b=2&a=%zz&c;d&e"));
    assertEquals("a=%C3%BC|{}", Paths.query("a=ü|{}"));
  }

  @Test
  void findsParameters() {
    assertEquals("true", Paths.parameter("a=b&watch=true&c", "watch"));
    assertEquals("", Paths.parameter("watch", "watch"));
    assertEquals("", Paths.parameter("watch=", "watch"));
    assertNull(Paths.parameter("watches=true&xwatch=1", "watch"));
  }
}
