package io.pipeops.agent.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pipeops.agent.api.link.JsonText;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ExtensionsTest {
  @Test
  void namesGoThroughAHelloAndItsAnswer() throws ProtocolException {
    Set<String> names = Set.of(Extensions.API_STREAM);
    GatewayHello hello =
        new GatewayHello(
            true,
            GatewayHello.DEFAULT_WINDOW,
            Duration.ofSeconds(30),
            Duration.ofSeconds(30),
            Extensions.fields(names));
    JsonText text = payload(hello);
    assertEquals(names, Extensions.read(GatewayHello.parse(text).extra()));
    JsonText answer = payload(new GatewayHelloAck(true, Extensions.fields(names)));
    assertEquals(names, Extensions.read(GatewayHelloAck.parse(answer).extra()));
  }

  @Test
  void nothingIsSaidAboutNoExtension() {
    assertEquals(Map.of(), Extensions.fields(Set.of()));
  }

  @Test
  void whatIsNoListOfNamesIsNone() {
    assertEquals(Set.of(), Extensions.read(Map.of()));
    assertEquals(Set.of(), Extensions.read(Map.of("extensions", "api-stream")));
    assertEquals(Set.of("a"), Extensions.read(Map.of("extensions", Arrays.asList(1, "a", null))));
    List<Object> many = new java.util.ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      many.add("x" + i);
    }
    assertEquals(32, Extensions.read(Map.of("extensions", many)).size());
  }

  @Test
  void idsComeBackAsTheyWere() throws ProtocolException {
    StreamIds ids = new StreamIds(true, List.of("r-1", "r-2"), List.of(2L, 0xFFFF_FFFEL));
    assertEquals(ids, StreamIds.parse(payload(ids)));
    assertEquals(
        new StreamIds(false, List.of(), List.of()),
        StreamIds.parse(JsonText.of("{\"requests\":7,\"streams\":[\"x\"]}")));
  }

  @Test
  void onlyWhatIsMissingForLongIsAnOrphan() {
    OrphanWatch<String> watch = new OrphanWatch<>(Duration.ofSeconds(30));
    long second = 1_000_000_000L;
    Set<String> theirs = Set.of("a");
    assertEquals(List.of(), watch.compare(List.of("a", "b"), theirs, 0));
    assertEquals(List.of(), watch.compare(List.of("a", "b"), theirs, 10 * second));
    assertEquals(List.of(), watch.compare(List.of("a", "c"), theirs, 40 * second), "b has ended");
    assertEquals(List.of("c"), watch.compare(List.of("a", "c"), theirs, 70 * second));
    assertEquals(List.of(), watch.compare(List.of("a"), theirs, 71 * second));
  }

  @Test
  void whatIsNamedAgainStartsAnew() {
    OrphanWatch<String> watch = new OrphanWatch<>(Duration.ofNanos(30));
    assertEquals(List.of(), watch.compare(List.of("b"), Set.of(), 0));
    assertEquals(List.of(), watch.compare(List.of("b"), Set.of("b"), 40));
    assertEquals(List.of(), watch.compare(List.of("b"), Collections.emptySet(), 80));
    assertEquals(List.of("b"), watch.compare(List.of("b"), Set.of(), 110));
  }

  private static JsonText payload(Payload payload) throws ProtocolException {
    byte[] bytes = Envelopes.write("", payload).array();
    return Envelopes.parse(bytes, 0, bytes.length).payload();
  }
}
