package io.pipeops.agent.launcher;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;

/**
 * A command line that was understood. What is wrong with one is told by a {@link ParseException}
 * whose message is for the person who typed it; it shows names, never the value of an option that
 * may hold a secret.
 */
final class CommandLine {
  private final Command command;
  private final boolean help;
  private final org.apache.commons.cli.CommandLine given;

  private CommandLine(Command command, boolean help, org.apache.commons.cli.CommandLine given) {
    this.command = command;
    this.help = help;
    this.given = given;
  }

  /**
   * Without a command in front, as the existing agent is called, the arguments are those of run.
   */
  static CommandLine parse(String... args) throws ParseException {
    String first = args.length == 0 ? "" : args[0];
    if (isHelp(first)) {
      return new CommandLine(null, true, null);
    }
    if (first.equals("-V") || first.equals("--version")) {
      return new CommandLine(Command.VERSION, false, null);
    }
    int from = first.isEmpty() || first.startsWith("-") ? 0 : 1;
    Command command = from == 0 ? Command.RUN : Command.named(first);
    for (int i = from; i < args.length; i++) {
      if (isHelp(args[i])) {
        return new CommandLine(command, true, null);
      }
    }
    return new CommandLine(command, false, parse(command, args, from));
  }

  private static boolean isHelp(String arg) {
    return arg.equals("-h") || arg.equals("--help");
  }

  /**
   * The parser would take an option that it does not know for the value of the one before, and
   * {@code -token} for {@code --token}.
   */
  private static void refuseUnknown(String[] args, int from, Options options)
      throws ParseException {
    Option open = null;
    for (int i = from; i < args.length; i++) {
      String name = name(args[i]);
      Option option = name.startsWith("--") ? options.getOption(name) : null;
      if (option == null && name.startsWith("-") && name.length() > 1) {
        throw new ParseException(
            open == null
                ? "Unknown option: '" + name + "'"
                : "Unknown option"
                    + (isToken(open) ? "" : " '" + name + "'")
                    + " behind '--"
                    + open.getLongOpt()
                    + "'; a value that begins with '-' is given as "
                    + usage(open));
      }
      open = option != null && option.hasArg() && name.equals(args[i]) ? option : null;
    }
  }

  private static org.apache.commons.cli.CommandLine parse(Command command, String[] args, int from)
      throws ParseException {
    Options options = command.options();
    refuseUnknown(args, from, options);
    org.apache.commons.cli.CommandLine given;
    try {
      given =
          DefaultParser.builder()
              .setAllowPartialMatching(false)
              .setStripLeadingAndTrailingQuotes(false)
              .get()
              .parse(options, Arrays.copyOfRange(args, from, args.length), true);
    } catch (MissingArgumentException e) {
      Option option = e.getOption();
      throw new ParseException(
          "Option '--" + option.getLongOpt() + "' needs a value: " + usage(option));
    }
    int rest = given.getArgList().size();
    if (rest > 0) {
      // The parser stops at what is no option. It may be the second half of a token: not shown.
      int stray = args.length - rest;
      throw new ParseException(
          args[stray].startsWith("--")
              ? "Option '" + name(args[stray]) + "' takes no value"
              : "Argument "
                  + (stray + 1)
                  + " is neither an option nor the value of one, and "
                  + command.id()
                  + " takes nothing else");
    }
    for (Option option : given.getOptions()) {
      if (given.getOptionCount(option) > 1 && !option.getLongOpt().equals("set")) {
        throw new ParseException("Option '--" + option.getLongOpt() + "' is given more than once");
      }
    }
    return given;
  }

  private static String name(String arg) {
    int equals = arg.indexOf('=');
    return equals < 0 ? arg : arg.substring(0, equals);
  }

  private static boolean isToken(Option option) {
    return option.getLongOpt().equals("token");
  }

  /** How the option is written with a value, such as {@code --config=FILE}. */
  private static String usage(Option option) {
    return "--" + option.getLongOpt() + "=" + option.getArgName();
  }

  /** Null is the program as a whole, of which only help can be asked. */
  Command command() {
    return command;
  }

  /** Whether help is asked for; nothing else was looked at then. */
  boolean asksForHelp() {
    return help;
  }

  boolean has(String option) {
    return given.hasOption(option);
  }

  /** The value, or else this. */
  String text(String option, String otherwise) {
    return given.getOptionValue(option, otherwise);
  }

  /** The value, or else this. */
  int number(String option, int otherwise) throws ParseException {
    String value = text(option, null);
    try {
      return value == null ? otherwise : Integer.parseInt(value);
    } catch (NumberFormatException e) {
      throw new ParseException("Option '" + option + "' is a whole number, not '" + value + "'");
    }
  }

  /** What the command starts, or whose settings it checks. */
  Program program() throws ParseException {
    if (command == Command.HUB) {
      return Program.HUB;
    }
    if (command == Command.SANDBOX) {
      return Program.SANDBOX;
    }
    String name = text("--program", Program.AGENT.id());
    for (Program program : Program.values()) {
      if (program.id().equals(name.toLowerCase(Locale.ROOT))) {
        return program;
      }
    }
    throw new ParseException(
        "Option '--program' is one of agent, hub and sandbox, not '" + name + "'");
  }

  /**
   * The lines for the settings registry: existing flags as {@code flag:name=value}, and after them
   * {@code --set} as they are.
   */
  List<String> flags() {
    List<String> lines = new ArrayList<>();
    for (Option option : given.getOptions()) {
      if (option.hasOptionalArg()) {
        lines.add("flag:" + option.getLongOpt() + "=" + option.getValue("true"));
      } else if (option.getLongOpt().equals("log-level")) {
        lines.add("flag:log-level=" + option.getValue());
      }
    }
    for (Option option : given.getOptions()) {
      if (option.getLongOpt().equals("set")) {
        lines.add(option.getValue());
      }
    }
    return lines;
  }
}
