package io.pipeops.agent.itests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The commands and files that a page shows in its fenced blocks. */
record DocCommands(List<String> commands, List<String> yaml) {

  static DocCommands of(Path page) throws IOException {
    List<String> commands = new ArrayList<>();
    List<String> yaml = new ArrayList<>();
    String kind = "";
    StringBuilder block = new StringBuilder();
    for (String line : Files.readAllLines(page)) {
      if (line.startsWith("```")) {
        if (kind.equals("bash")) {
          commands.addAll(split(block.toString()));
        } else if (kind.equals("yaml")) {
          yaml.add(block.toString());
        }
        kind =
            kind.isEmpty() && line.length() > 3 ? line.substring(3) : kind.isEmpty() ? "none" : "";
        block.setLength(0);
      } else {
        block.append(line).append('\n');
      }
    }
    return new DocCommands(commands, yaml);
  }

  /** One command a line; a backslash at the end joins the next line, a comment at the end goes. */
  private static List<String> split(String block) {
    List<String> commands = new ArrayList<>();
    for (String command : block.replace("\\\n", " ").split("\n")) {
      String text = command.replaceAll("\\s+#.*$", "").replaceAll("\\s+", " ").strip();
      if (!text.isEmpty()) {
        commands.add(text);
      }
    }
    return commands;
  }
}
