package io.pipeops.agent.provision;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.provision.reference.SettingsReference;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** Checking without starting, and the reference that is made from the same jars. */
@Isolated("takes standard output away")
class ValidationTest {
  @TempDir Path folder;

  private String validate(String settings) throws Exception {
    try (TestFramework framework = new TestFramework(folder)) {
      if (settings != null) {
        framework.settings(settings);
      }
      PrintStream out = System.out;
      ByteArrayOutputStream printed = new ByteArrayOutputStream();
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      try {
        framework.validate("sandbox");
        Await.until("exit", () -> printed, () -> !framework.exits.isEmpty());
      } finally {
        System.setOut(out);
      }
      framework.awaitBundles();
      return "exit " + framework.exits.get(0) + "\n" + printed.toString(StandardCharsets.UTF_8);
    }
  }

  private Path features() throws IOException {
    return Files.createDirectories(folder.resolve("home/features"));
  }

  @Test
  void saysThatAllIsWell() throws Exception {
    TestFeature.of("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0")).writeTo(features());
    String out = validate("alpha: {limit: 3, access_token: s3cr3t}\npipeops: {timeout: 3s}\n");
    assertTrue(out.startsWith("exit 0\n"), out);
    assertTrue(out.contains("ok: settings, 2 given"), out);
    assertTrue(out.contains("alpha.access_token=***"), out);
    assertTrue(out.contains("ok: feature alpha 1.0.0, 1 bundles"), out);
    assertTrue(out.contains("plan: install feature=alpha version=1.0.0"), out);
    assertTrue(out.contains("has no effect: pipeops.timeout"), out);
    assertFalse(out.contains("s3cr3t"), out);
  }

  @Test
  void saysEverythingThatIsWrong() throws Exception {
    TestBundle named = TestBundle.of("alpha", "1.0.0");
    TestFeature alpha = TestFeature.of("alpha", "1.0.0", named);
    alpha.writeTo(features());
    named.with("other").writeTo(features());
    TestFeature.of("beta", "1.0.0", TestBundle.of("beta", "1.0.0"))
        .needing("gamma")
        .writeTo(features());
    TestFeature.write(features().resolve("delta.json"), "{");
    TestFeature.of("epsilon", "1.0.0", TestBundle.of("epsilon", "1.0.0"))
        .configured("{\"io.pipeops.agent.epsilon\": {\"limit:Integer\": 11}}")
        .writeTo(features());
    String out = validate("alpha: {limit: 99}\n");
    assertTrue(out.startsWith("exit 2\n"), out);
    assertTrue(
        out.contains("alpha.limit: \"99\" is out of range; allowed: a whole number from 1 to 10"),
        out);
    assertTrue(out.contains("io.pipeops.agent.alpha-1.0.0.jar has the digest"), out);
    assertTrue(out.contains("needs the feature gamma, which is not there"), out);
    assertTrue(out.contains("delta.json:1: invalid JSON"), out);
    assertTrue(out.contains("the value of epsilon.limit is out of range"), out);
    assertTrue(out.endsWith("5 problems\n"), out);
  }

  @Test
  void aSettingsFileThatIsNotThereIsAProblemHere() throws Exception {
    assertTrue(validate(null).contains("settings.yaml: is not there"));
  }

  @Test
  void rendersTheReference() throws IOException {
    Path bundles = Files.createDirectories(folder.resolve("bundles"));
    TestFeature.of("link", "1.0.0", TestBundle.of("link", "1.0.0")).writeTo(features());
    TestBundle.of("link", "1.0.0").writeTo(bundles);
    Path out = folder.resolve("settings.md");
    SettingsReference.main(
        new String[] {bundles.toString(), features().toString(), out.toString()});
    List<String> lines = Files.readAllLines(out);
    assertTrue(lines.contains("## link"), lines.toString());
    assertTrue(
        lines.contains(
            "| `link.limit` | a whole number from 1 to 10 | `5` | A limit | `AGENT_LINK_LIMIT` |  |"),
        lines.toString());
    assertTrue(
        lines.stream()
            .anyMatch(l -> l.startsWith("| `link.labels`") && l.contains("`agent.labels`")),
        lines.toString());
    assertTrue(lines.stream().anyMatch(l -> l.startsWith("| `features.link.enabled`")));
    String schema = Files.readString(folder.resolve("settings.schema.json"));
    assertTrue(schema.contains("\"maximum\" : 10"), schema);
    assertEquals('{', schema.charAt(0));
  }
}
