package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What the documentation says is generated is what the build generates now. */
class ReferenceIT {
  @Test
  void settingsReferenceIsCurrent() throws Exception {
    Path generated = Program.IMAGE.resolveSibling("settings.md");
    Path page = Path.of("..", "docs", "settings.md");
    assertEquals(
        Files.readString(generated),
        Files.readString(page),
        "docs/settings.md is out of date; copy " + generated + " over it");
  }
}
