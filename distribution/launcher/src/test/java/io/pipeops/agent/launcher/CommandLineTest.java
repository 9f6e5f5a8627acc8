package io.pipeops.agent.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.commons.cli.ParseException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Isolated("takes standard error away")
class CommandLineTest {
  private static final String SECRET = "s3cret";

  private static CommandLine parse(String line) throws ParseException {
    return CommandLine.parse(line.isEmpty() ? new String[0] : line.split(" "));
  }

  private static String refused(String line) {
    String message = assertThrows(ParseException.class, () -> parse(line), line).getMessage();
    assertFalse(message.contains(SECRET), message);
    return message;
  }

  private static String help(Command command) throws IOException {
    StringBuilder out = new StringBuilder();
    HelpText.print(command, out);
    return out.toString();
  }

  @Test
  void runIsTheDefault() throws ParseException {
    assertEquals(Command.RUN, parse("").command());
    assertEquals(Command.RUN, parse("--in-cluster --safe").command());
    assertEquals(Command.HUB, parse("hub --safe").command());
    assertEquals(Command.VERSION, parse("-V").command());
    assertEquals(Command.VERSION, parse("--version").command());
  }

  @ParameterizedTest
  @EnumSource
  void eachCommandIsKnownByItsNameAndHasHelp(Command command) throws Exception {
    assertEquals(command, parse(command.id()).command());
    assertFalse(parse(command.id()).asksForHelp());
    assertTrue(parse(command.id() + " --help").asksForHelp());
    assertTrue(parse(command.id() + " stray --wrong -h").asksForHelp());
    String text = help(command);
    assertTrue(text.startsWith("Usage: pipeops-agent " + command.id() + " "), text);
    assertTrue(text.contains("\n  -h, --help"), text);
    assertFalse(text.contains("gateway-"), text);
    assertTrue(help(null).contains("\n  " + command.id() + " "), help(null));
    for (String line : (text + help(null)).split("\n")) {
      assertTrue(line.length() <= 80, line);
    }
  }

  @Test
  void helpTellsWhatEachOptionTakes() throws Exception {
    CommandLine root = parse("--help");
    assertTrue(root.asksForHelp());
    assertNull(root.command());
    assertTrue(help(null).contains("\n  -V, --version"), help(null));
    String run = help(Command.RUN);
    for (String row :
        List.of(
            "--config=FILE           Settings file (YAML)",
            "--set=KEY=VALUE         One setting",
            "--safe                  Start the platform only",
            "--token[=VALUE]         API token",
            "--in-cluster[=VALUE]    Accepted")) {
      assertTrue(run.contains("\n  " + row), run);
    }
    assertTrue(help(Command.VALIDATE).contains("--program=NAME "));
    assertTrue(help(Command.FEATURES).contains("--json "));
    assertTrue(help(Command.CHECK).contains("--hub-token-file=FILE "));
  }

  @Test
  void aValueStandsBehindASpaceOrAnEqualsSign() throws ParseException {
    CommandLine line = parse("run --config a.yaml --run-dir=/x=y --log-format=");
    assertEquals("a.yaml", line.text("--config", "b"));
    assertEquals("/x=y", line.text("--run-dir", "b"));
    assertEquals("", line.text("--log-format", "b"));
    assertEquals("b", line.text("--features-dir", "b"));
    assertNull(line.text("--features-dir", null));
    assertFalse(line.has("--safe"));
    assertTrue(parse("run --safe").has("--safe"));
    assertEquals(30, parse("check --wait=30").number("--wait", 0));
    assertEquals(-1, parse("check --wait=-1").number("--wait", 0));
    assertEquals(5, parse("check").number("--wait", 5));
    assertEquals("-", parse("run --config -").text("--config", null));
    assertEquals("\"a\"", parse("run --config \"a\"").text("--config", null));
  }

  @Test
  void theSettingsRegistryGetsFlagsBeforeSettings() throws ParseException {
    assertEquals(List.of(), parse("run --config=x --safe").flags());
    assertEquals(
        List.of(
            "flag:in-cluster=true",
            "flag:token=t",
            "flag:gateway-enabled=false",
            "flag:log-level=debug",
            "flag:gateway-istio-servers-json=[{\"a\":\"=\"}]",
            "flag:agent-id=true",
            "a.b=-1",
            "c=d,e f",
            "a.b=2"),
        CommandLine.parse(
                "--set=a.b=-1",
                "--in-cluster",
                "--token",
                "t",
                "--gateway-enabled=false",
                "--set",
                "c=d,e f",
                "--log-level",
                "debug",
                "--gateway-istio-servers-json=[{\"a\":\"=\"}]",
                "--set",
                "a.b=2",
                "--agent-id")
            .flags());
  }

  @Test
  void programIsThatOfTheCommandOrTheOneNamed() throws ParseException {
    assertEquals(Program.AGENT, parse("run").program());
    assertEquals(Program.HUB, parse("hub").program());
    assertEquals(Program.SANDBOX, parse("sandbox").program());
    assertEquals(Program.AGENT, parse("validate").program());
    assertEquals(Program.HUB, parse("validate --program hub").program());
    assertEquals(Program.SANDBOX, parse("validate --program=SandBox").program());
    CommandLine line = parse("validate --program=gateway");
    String message = assertThrows(ParseException.class, line::program).getMessage();
    assertEquals("Option '--program' is one of agent, hub and sandbox, not 'gateway'", message);
  }

  @Test
  void anUnknownCommandNamesTheKnownOnes() {
    assertEquals(
        "Unknown command: 'rum'; the commands are run, hub, sandbox, validate, features, check,"
            + " version",
        refused("rum --safe"));
  }

  @Test
  void anUnknownOptionIsNamedWithoutItsValue() {
    for (String command : List.of("", "run ", "hub ", "validate ")) {
      assertEquals("Unknown option: '--tok'", refused(command + "--tok=" + SECRET));
      assertEquals("Unknown option: '--tok'", refused(command + "--tok " + SECRET));
      assertEquals("Unknown option: '-token'", refused(command + "-token=" + SECRET));
      assertEquals("Unknown option: '-token'", refused(command + "-token " + SECRET));
      assertEquals("Unknown option: '-t'", refused(command + "-t=" + SECRET));
    }
    for (String line : List.of("features --wait=1", "run --wait=1", "version --wait=1")) {
      assertEquals("Unknown option: '--wait'", refused(line));
    }
    assertEquals("Unknown option: '--'", refused("run -- --safe"));
    assertEquals("Unknown option: '--version'", refused("run --version"));
  }

  @Test
  void anUnknownOptionIsNotTakenForAValue() {
    assertEquals(
        "Unknown option '--saef' behind '--in-cluster';"
            + " a value that begins with '-' is given as --in-cluster=VALUE",
        refused("run --in-cluster --saef"));
    assertEquals(
        "Unknown option '-1' behind '--wait';"
            + " a value that begins with '-' is given as --wait=SECONDS",
        refused("check --wait -1"));
    assertEquals(
        "Unknown option behind '--token';"
            + " a value that begins with '-' is given as --token=VALUE",
        refused("run --token -" + SECRET));
  }

  @Test
  void whatAnOptionNeedsIsSaid() {
    assertEquals("Option '--config' needs a value: --config=FILE", refused("run --config"));
    assertEquals("Option '--set' needs a value: --set=KEY=VALUE", refused("run --set --safe"));
    assertEquals("Option '--safe' takes no value", refused("run --safe=" + SECRET));
    assertEquals("Option '--config' is given more than once", refused("--config=a --config a"));
    assertEquals(
        "Option '--token' is given more than once", refused("--token=" + SECRET + " --token=a"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"x", "1.5", "", "99999999999"})
  void whatIsNoNumberIsRefused(String value) throws ParseException {
    CommandLine line = parse("check --wait=" + value);
    assertEquals(
        "Option '--wait' is a whole number, not '" + value + "'",
        assertThrows(ParseException.class, () -> line.number("--wait", 0)).getMessage());
  }

  @Test
  void whatBelongsToNoOptionIsCountedAndNotShown() {
    String end = " is neither an option nor the value of one, and run takes nothing else";
    assertEquals("Argument 2" + end, refused("run " + SECRET));
    assertEquals("Argument 4" + end, refused("run --token Bearer " + SECRET));
    assertEquals("Argument 2" + end, refused("--safe validate"));
    assertEquals("Argument 3" + end, refused("run --config=a a --set=a=b"));
    assertTrue(refused("version - -").startsWith("Argument 2 "));
  }

  @Test
  void aWrongCommandLineEndsWithItsOwnCodeAndTheWayToHelp() {
    PrintStream before = System.err;
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    try {
      assertEquals(ExitCode.USAGE, Main.run(new String[] {"run", "--wrong"}, Map.of()));
      assertEquals(ExitCode.USAGE, Main.run(new String[] {"check", "--wait=x"}, Map.of()));
    } finally {
      System.setErr(before);
    }
    assertEquals(
        """
        pipeops-agent: Unknown option: '--wrong'
        Try: pipeops-agent --help
        pipeops-agent: Option '--wait' is a whole number, not 'x'
        Try: pipeops-agent --help
        """,
        err.toString(StandardCharsets.UTF_8).replace("\r", ""));
  }
}
