package io.pipeops.agent.provision.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.junit.jupiter.api.Test;

/** Whatever stands in the file, there is an answer, and it is a list of messages. */
class ParserFuzzTest {
  @Property(tries = 500)
  void anyTextIsAnswered(@ForAll("yamlLike") String text) {
    Evaluation evaluation = SettingsFixture.file(text);
    evaluation.problems().forEach(p -> assertTrue(p.startsWith("agent.yaml:"), p));
  }

  @Property(tries = 300)
  void anyFlagsAndVariablesAreAnswered(
      @ForAll("yamlLike") String flags, @ForAll("yamlLike") String value) {
    SettingsFixture.evaluate(
        "", Map.of("AGENT_HTTP_PORT", value, "AGENT_" + value, value, "HUB_PORT", value), flags);
  }

  @Property(tries = 200)
  void aValueThatIsAcceptedIsInRange(@ForAll int port) {
    Evaluation evaluation = SettingsFixture.file("http: {port: " + port + "}");
    assertEquals(port >= 0 && port <= 65535, evaluation.good());
  }

  @Provide
  Arbitrary<String> yamlLike() {
    Arbitrary<String> pieces =
        Arbitraries.of(
            "link", "http", "port", ":", ": ", "\n", "  ", "- ", "{", "}", "[", "]", "'", "\"", "#",
            "&a", "*a", "!!str", "|", ">", "?", "%", "---\n", "...\n", "\t", "\u0000", "\uFEFF",
            "url", "labels", "token", "<<", ",", "1e9999", "-1", "0x1F", "\uD800", "=", "flag:");
    return Arbitraries.frequencyOf(
        Tuple.of(3, pieces.list().ofMaxSize(30).map(l -> String.join("", l))),
        Tuple.of(1, Arbitraries.strings().ofMaxLength(200)));
  }

  @Test
  void whatIsTooDeepOrTooLargeIsRefused() {
    assertTrue(SettingsFixture.file("[".repeat(10_000)).problems().size() == 1);
    assertTrue(SettingsFixture.file("a: {".repeat(1_000)).problems().size() == 1);
    assertTrue(
        SettingsFixture.file("a: 1\n".repeat(300_000)).problems().get(0).contains("larger than"));
    assertEquals(
        List.of("agent.yaml:1: anchors and aliases are not supported in a settings file"),
        SettingsFixture.file("a: &x [1]\nb: [*x, *x]").problems());
  }
}
