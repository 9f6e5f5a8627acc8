package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What {@code docs/troubleshooting.md} says that an operator sees of a fault. Who produces the
 * fault looks for just these words, so the page cannot say others.
 */
final class FaultSigns {
  private FaultSigns() {}

  /** The words, which the page has as code in the row of this number. */
  static String row(int number, String words) throws IOException {
    Path page = Path.of("..", "docs", "troubleshooting.md");
    String start = "| " + number + " |";
    String row =
        Files.readString(page)
            .lines()
            .filter(line -> line.startsWith(start))
            .findFirst()
            .orElseThrow(() -> new AssertionError(page + " has no row " + number));
    String seen = row.substring(start.length()).split("\\|")[0];
    assertTrue(seen.contains("`" + words + "`"), "`" + words + "` is not what is seen in: " + row);
    return words;
  }
}
