package io.pipeops.agent.provision.features;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FeatureFileReaderTest {
  private static final String SHA = "0123456789abcdef".repeat(4);
  private static final String GOOD =
      """
      {
        "id": "io.pipeops.agent:feature-tunnel:1.4.0",
        "description": "Access",
        "bundles": [
          { "id": "io.pipeops.agent:io.pipeops.agent.tunnel:1.4.0", "sha256": "%s" }
        ],
        "configurations": { "io.pipeops.agent.tunnel": { "drain.seconds:Integer": 10,
            "names:String[]": ["a", "b"], "open": true, "count": 3 } },
        "extensions": { "agent": { "kind": "optional", "type": "json",
            "json": { "programs": ["agent"], "enabled": false, "requires": ["link"] } } }
      }
      """
          .formatted(SHA);

  private static FeatureFile read(String json) throws BadFeature {
    return FeatureFileReader.read("f.json", json.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void readsTheStandardForm() throws BadFeature {
    FeatureFile feature = read(GOOD);
    assertEquals("tunnel", feature.name());
    assertEquals("1.4.0", feature.version());
    assertEquals(List.of("agent"), feature.programs());
    assertEquals(List.of("link"), feature.requires());
    assertEquals(false, feature.enabled());
    assertEquals("io.pipeops.agent.tunnel-1.4.0.jar", feature.bundles().get(0).jar());
    var values = feature.configurations().get("io.pipeops.agent.tunnel");
    assertEquals(10, values.get("drain.seconds").value());
    assertEquals(true, values.get("open").value());
    assertEquals(3L, values.get("count").value());
    assertEquals(List.of("a", "b"), List.of((String[]) values.get("names").value()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"id\": \"io | \"id\": oops | f.json:2: invalid JSON",
        "\"description\" | \"descripton\" | f.json:3: unknown key \"descripton\"",
        "\"Access\" | 5 | f.json:3: \"description\" needs a text",
        "tunnel:1.4.0\", | tunnel\", | f.json:2: \"io.pipeops.agent:feature-tunnel\" has not the form",
        "feature-tunnel:1.4.0 | feature-tunnel:one | \"one\" is not a version such as 1.2.3",
        "feature-tunnel:1.4.0 | Feature:1.4.0 | is not a feature's name",
        "io.pipeops.agent.tunnel:1.4.0 | ../../etc:1.4.0 | has not the form group:artifact:version",
        "\"sha256\": \"0 | \"sha256\": \"x | needs \"sha256\" with 64 hexadecimal digits",
        "\"sha256\" | \"sha1\" | f.json:5: unknown key \"sha1\"",
        "[\"agent\"] | [\"agnt\"] | \"agnt\" is not a program; allowed: agent, hub, sandbox",
        "false | \"no\" | \"enabled\" needs true or false",
        "\"requires\" | \"require\" | unknown key \"extensions.agent.json.require\"",
        "\"agent\": { \"kind\" | \"other\": { \"kind\" | unknown key \"extensions.other\"",
        ":Integer\": 10 | :Integer\": \"ten\" | \"drain.seconds:Integer\" has a value of another type",
        "\"open\": true | \"open\": {} | \"open\" needs a plain value or a list of them",
        "\"description\": | \"id\": | invalid JSON: Duplicate",
      })
  void saysWhatIsWrongAndWhere(String part, String instead, String message) {
    String json = GOOD.replace(part, instead);
    BadFeature bad = assertThrows(BadFeature.class, () -> read(json));
    assertTrue(bad.getMessage().contains(message), bad.getMessage());
    assertTrue(bad.getMessage().startsWith("f.json:"), bad.getMessage());
  }

  @Test
  void refusesWhatIsCutOffOrTooMuch() {
    for (int end = 0; end < GOOD.strip().length() - 1; end += 7) {
      String part = GOOD.substring(0, end);
      assertThrows(BadFeature.class, () -> read(part));
    }
    assertThrows(BadFeature.class, () -> read(GOOD + "{}"));
    assertThrows(BadFeature.class, () -> read("[".repeat(100_000)));
    assertThrows(BadFeature.class, () -> read(" ".repeat(FeatureFileReader.MAX_BYTES) + GOOD));
  }

  @Test
  void theBaseMaySayMore() throws BadFeature {
    FeatureFile base =
        FeatureFileReader.readBase(
            "base.json",
            """
            {"id": "g:base:1.0.0", "launcher": {"x": [1]},
             "bundles": ["g:a:1.0.0", {"id": "g:b:1.0.0", "start-order": 5}]}
            """
                .getBytes(StandardCharsets.UTF_8));
    assertEquals(
        List.of("a-1.0.0.jar", "b-1.0.0.jar"),
        base.bundles().stream().map(BundleRef::jar).toList());
  }

  @Property(tries = 1000)
  void anyBytesAreAnswered(@ForAll byte[] bytes) {
    answered(bytes);
  }

  @Property(tries = 1000)
  void anyDamageIsAnswered(@ForAll("damaged") String json) {
    answered(json.getBytes(StandardCharsets.UTF_8));
  }

  private static void answered(byte[] bytes) {
    try {
      FeatureFileReader.read("f.json", bytes);
    } catch (BadFeature refused) {
      assertTrue(refused.getMessage().startsWith("f.json"), refused.getMessage());
    }
    try {
      FeatureFileReader.readBase("f.json", bytes);
    } catch (BadFeature refused) {
      assertTrue(refused.getMessage().startsWith("f.json"), refused.getMessage());
    }
  }

  @Provide
  Arbitrary<String> damaged() {
    return Arbitraries.integers()
        .between(0, GOOD.length() - 1)
        .flatMap(
            at ->
                Arbitraries.of("{", "}", "[", "]", "\"", ",", ":", "null", "1", "\u0000", "", "é")
                    .flatMap(
                        piece ->
                            Arbitraries.integers()
                                .between(0, 5)
                                .map(
                                    cut ->
                                        GOOD.substring(0, at)
                                            + piece
                                            + GOOD.substring(Math.min(GOOD.length(), at + cut)))));
  }
}
