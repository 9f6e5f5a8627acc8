package io.pipeops.agent.launcher;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.help.TextHelpAppendable;
import org.apache.commons.cli.help.TextStyle;

/** What {@code --help} prints, in lines of at most 80 columns. Apart, since a start needs none. */
final class HelpText {
  private static final int WIDTH = 80;

  private final TextHelpAppendable out;

  private HelpText(Appendable out) {
    this.out = new TextHelpAppendable(out);
    this.out.setMaxWidth(WIDTH);
    this.out.setLeftPad(0);
    this.out.setIndent(0);
  }

  /**
   * Prints the help of a command.
   *
   * @param command null for the program as a whole
   */
  static void print(Command command, Appendable out) throws IOException {
    HelpText text = new HelpText(out);
    if (command == null) {
      text.program();
    } else {
      text.command(command);
    }
  }

  private void program() throws IOException {
    out.printWrapped("Usage: pipeops-agent [COMMAND] [OPTION]...");
    out.appendParagraph(
        "Connects a Kubernetes cluster to its control plane over one outbound WebSocket.");
    Map<String, String> rows = new LinkedHashMap<>();
    for (Command command : Command.values()) {
      rows.put(command.id(), command.description());
    }
    list("Commands:", rows);
    out.append(System.lineSeparator());
    rows.clear();
    rows.put("-h, --help", "Show this text; behind a command, the options of that command");
    rows.put("-V, --version", "Show the version");
    list("Options:", rows);
  }

  private void command(Command command) throws IOException {
    out.printWrapped("Usage: pipeops-agent " + command.id() + " [OPTION]...");
    out.appendParagraph(command.description());
    Map<String, String> rows = new LinkedHashMap<>();
    for (Option option : command.options().getOptions()) {
      if (option.getDescription() != null) {
        rows.put(usage(option), option.getDescription());
      }
    }
    list("Options:", rows);
  }

  private static String usage(Option option) {
    String letter = option.getOpt() == null ? "" : "-" + option.getOpt() + ", ";
    String value = option.hasArg() ? "=" + option.getArgName() : "";
    return letter
        + "--"
        + option.getLongOpt()
        + (option.hasOptionalArg() ? "[" + value + "]" : value);
  }

  /** Names, and behind the longest of them what they mean. */
  private void list(String title, Map<String, String> rows) throws IOException {
    int longest = 0;
    for (String name : rows.keySet()) {
      longest = Math.max(longest, name.length());
    }
    String row = "  %-" + longest + "s  %s";
    TextStyle style = TextStyle.builder().setMaxWidth(WIDTH).setIndent(longest + 4).get();
    out.printWrapped(title);
    for (Map.Entry<String, String> entry : rows.entrySet()) {
      out.printWrapped(row.formatted(entry.getKey(), entry.getValue()), style);
    }
  }
}
