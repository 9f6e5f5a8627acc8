package io.pipeops.agent.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.ApiCalls;
import io.pipeops.agent.heartbeat.ClusterFigures.Figures;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ClusterFiguresTest {
  private static final String NODES_1 = "/api/v1/nodes?limit=1";
  private static final String PODS_1 = "/api/v1/pods?limit=1";
  private static final String USAGE = "/apis/metrics.k8s.io/v1beta1/nodes?limit=500";
  private static final String NODES_20 = "/api/v1/nodes?limit=20";

  /** Answers by path; a list of answers is used up one by one, the last one stays. */
  private static final class FakeApi implements ApiCalls {
    final Map<String, List<Answer>> answers = new LinkedHashMap<>();
    final List<String> asked = Collections.synchronizedList(new ArrayList<>());
    volatile boolean down;

    FakeApi on(String path, int status, String body) {
      answers
          .computeIfAbsent(path, key -> new ArrayList<>())
          .add(new Answer(status, body.getBytes(StandardCharsets.UTF_8), Duration.ZERO));
      return this;
    }

    FakeApi patience(String path, int status, Duration retryAfter) {
      answers.put(path, new ArrayList<>(List.of(new Answer(status, new byte[0], retryAfter))));
      return this;
    }

    @Override
    public Answer get(String path, String accept, Duration limit) throws IOException {
      asked.add(path);
      if (down) {
        throw new IOException("down");
      }
      List<Answer> list = answers.get(path);
      if (list == null) {
        return new Answer(404, new byte[0], Duration.ZERO);
      }
      return list.size() > 1 ? list.remove(0) : list.get(0);
    }
  }

  private static String list(long remaining, String next, String... items) {
    return "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"7\""
        + (next.isEmpty() ? "" : ",\"continue\":\"" + next + "\"")
        + (remaining < 0 ? "" : ",\"remainingItemCount\":" + remaining)
        + "},\"items\":["
        + String.join(",", items)
        + "]}";
  }

  private static String node(String name, String cpu, String memory) {
    return ("{\"metadata\":{\"name\":\"%s\",\"labels\":{\"name\":\"no\"}},\"status\":{\"capacity\":"
            + "{\"cpu\":\"99\",\"memory\":\"1Ei\"},\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"%s\","
            + "\"pods\":\"110\"},\"images\":[{\"names\":[\"x\"],\"sizeBytes\":5}]}}")
        .formatted(name, cpu, memory);
  }

  private static String usage(String name, String cpu, String memory) {
    return ("{\"metadata\":{\"name\":\"%s\"},\"window\":\"20s\",\"usage\":{\"cpu\":\"%s\","
            + "\"memory\":\"%s\"}}")
        .formatted(name, cpu, memory);
  }

  private static FakeApi healthy() {
    return new FakeApi()
        .on(NODES_1, 200, list(1, "t", node("a", "1", "1Gi")))
        .on(PODS_1, 200, list(40, "t", "{}"))
        .on(USAGE, 200, list(-1, "", usage("a", "250m", "512Mi"), usage("b", "1000000000n", "1Gi")))
        .on(NODES_20, 200, list(-1, "", node("a", "1", "1Gi"), node("b", "3", "3Gi")));
  }

  @Test
  void readsCountsAndPercents() throws Exception {
    Figures figures = new FigureReader(healthy()).read();
    assertEquals(2, figures.nodes());
    assertEquals(41, figures.pods());
    assertEquals("31%", figures.cpu());
    assertEquals("38%", figures.memory());
    assertEquals("", figures.complaint());
  }

  @Test
  void threeSmallRequestsALookOnceTheNodesAreKnown() throws Exception {
    FakeApi api = healthy();
    FigureReader reader = new FigureReader(api);
    reader.read();
    api.asked.clear();
    assertEquals("31%", reader.read().cpu());
    assertEquals(List.of(NODES_1, PODS_1, USAGE), api.asked);
  }

  @Test
  void looksAtTheNodesAgainWhenTheirNumberChanges() throws Exception {
    FakeApi api = healthy();
    FigureReader reader = new FigureReader(api);
    reader.read();
    api.answers.remove(NODES_1);
    api.on(NODES_1, 200, list(-1, "", node("a", "1", "1Gi")));
    api.answers.remove(NODES_20);
    api.on(NODES_20, 200, list(-1, "", node("a", "1", "1Gi")));
    Figures figures = reader.read();
    assertEquals(1, figures.nodes());
    assertEquals("25%", figures.cpu());
  }

  @Test
  void withoutMetricsApiTheCountsAreStillThere() throws Exception {
    FakeApi api = healthy();
    api.answers.remove(USAGE);
    Figures figures = new FigureReader(api).read();
    assertEquals(2, figures.nodes());
    assertEquals("unknown", figures.cpu());
    assertEquals("unknown", figures.memory());
    assertTrue(figures.complaint().contains("no metrics API"));
    assertTrue(!api.asked.contains(NODES_20));
  }

  @Test
  void aForbiddenCountKeepsItsLastValue() throws Exception {
    FakeApi api = healthy();
    FigureReader reader = new FigureReader(api);
    reader.read();
    api.answers.remove(PODS_1);
    api.on(PODS_1, 403, "{}");
    Figures figures = reader.read();
    assertEquals(41, figures.pods());
    assertTrue(figures.complaint().contains("/api/v1/pods answers 403"));
  }

  @Test
  void honoursRetryAfter() throws Exception {
    FakeApi api = healthy().patience(PODS_1, 429, Duration.ofMinutes(7));
    assertEquals(Duration.ofMinutes(7), new FigureReader(api).read().patience());
  }

  @Test
  void countsByPagesWhenTheServerDoesNotSayHowManyFollow() throws Exception {
    FakeApi api = healthy();
    api.answers.remove(PODS_1);
    api.on(PODS_1, 200, list(-1, "t1", "{}"))
        .on("/api/v1/pods?limit=500", 200, list(-1, "a b/+", "{}", "{}"))
        .on("/api/v1/pods?limit=500&continue=a+b%2F%2B", 200, list(-1, "", "{}"));
    assertEquals(3, new FigureReader(api).read().pods());
  }

  @Test
  void beginsAnewWhenTheContinueTokenHasExpired() throws Exception {
    FakeApi api = healthy();
    api.answers.remove(NODES_20);
    api.on(NODES_20, 200, list(-1, "old", node("a", "1", "1Gi")))
        .on(NODES_20, 200, list(-1, "", node("a", "1", "1Gi"), node("b", "3", "3Gi")))
        .on(NODES_20 + "&continue=old", 410, "{}");
    assertEquals("31%", new FigureReader(api).read().cpu());
  }

  @Test
  void aServerWithEndlessPagesIsLeftAlone() throws Exception {
    FakeApi api = healthy();
    api.answers.remove(USAGE);
    api.on(USAGE, 200, list(-1, "t", usage("a", "1", "1")))
        .on(USAGE + "&continue=t", 200, list(-1, "t", usage("a", "1", "1")));
    assertEquals("unknown", new FigureReader(api).read().cpu());
    assertTrue(api.asked.size() < 600);
  }

  @Test
  void neverDelaysAndKeepsTheLastFiguresThroughAnOutage() throws Exception {
    FakeApi api = healthy();
    ClusterFigures figures = new ClusterFigures(api, Duration.ofMillis(20), Duration.ofMillis(1));
    try {
      Await.until("read", () -> figures.facts().toString().contains("k8s_pods=41"));
      api.down = true;
      int before = api.asked.size();
      Await.until("tried again", () -> api.asked.size() > before + 3);
      assertTrue(figures.facts().toString().contains("k8s_pods=41"));
    } finally {
      figures.close();
    }
  }

  @Test
  void quantities() {
    assertEquals(0.25, Quantity.parse("250m"), 1e-12);
    assertEquals(1.5, Quantity.parse("1500000000n"), 1e-9);
    assertEquals(16.0 * (1L << 30), Quantity.parse("16Gi"), 0);
    assertEquals(2000, Quantity.parse("2k"), 0);
    assertEquals(1e3, Quantity.parse("1e3"), 0);
    assertEquals(4, Quantity.parse("4"), 0);
    assertTrue(Double.isNaN(Quantity.parse("")));
    assertTrue(Double.isNaN(Quantity.parse("Gi")));
    assertTrue(Double.isNaN(Quantity.parse("1Zi")));
    assertTrue(Double.isNaN(Quantity.parse("0x1p3")));
  }

  @Test
  void brokenAnswersAreErrorsAndNothingElse() {
    for (String body :
        List.of("", "[]", "{", "{\"items\":[{]}", "{\"items\":{}}", "null", "{\"items\":[1]}")) {
      FakeApi api = healthy();
      api.answers.remove(NODES_1);
      api.on(NODES_1, 200, body);
      assertThrows(IOException.class, () -> new FigureReader(api).read(), body);
    }
  }

  @Property(tries = 2000)
  void anyTextIsAQuantityOrNone(@ForAll String text) {
    double value = Quantity.parse(text);
    assertTrue(Double.isNaN(value) || Math.abs(value) >= 0);
  }

  @Property(tries = 2000)
  void anyBytesAreAListOrAnIoException(@ForAll byte[] json) {
    try {
      ListReader.read(json, "usage", new LinkedHashMap<>());
    } catch (IOException e) {
      assertTrue(e.getMessage().contains("not a list"));
    }
  }
}
