package io.pipeops.agent.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.cli.ParseException;
import org.osgi.framework.BundleException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code pipeops-agent}: parses the command line and does what it says. */
public final class Main {
  private Main() {}

  /** The system property {@code agent.home} names the unpacked distribution. */
  public static void main(String[] args) {
    System.exit(run(args, System.getenv()));
  }

  static int run(String[] args, Map<String, String> env) {
    try {
      CommandLine line = CommandLine.parse(args);
      if (line.asksForHelp()) {
        HelpText.print(line.command(), System.out);
        return ExitCode.OK;
      }
      return switch (line.command()) {
        case VERSION -> print(new Build().toString());
        case FEATURES -> new FeaturesCommand(System.out, System.err).run(line);
        case CHECK -> new CheckCommand(System.out, System.err).run(line);
        case RUN, HUB, SANDBOX, VALIDATE -> start(line, env);
      };
    } catch (ParseException e) {
      System.err.println("pipeops-agent: " + e.getMessage());
      System.err.println("Try: pipeops-agent --help");
      return ExitCode.USAGE;
    } catch (IOException | BundleException e) {
      System.err.println("pipeops-agent: " + e.getMessage());
      return ExitCode.FAILURE;
    }
  }

  private static int print(String text) {
    System.out.println(text);
    return ExitCode.OK;
  }

  private static int start(CommandLine line, Map<String, String> env)
      throws IOException, BundleException, ParseException {
    Build build = new Build();
    Logging logging =
        new Logging(line.text("--log-format", logFormat(env)), line.text("--log-level", "info"));
    Logger log = LoggerFactory.getLogger(Main.class);
    Options options = options(line, env);
    if (!options.mode().equals("validate")) {
      log.info(
          "Starting program={} {} settings={}", options.program().id(), build, options.settings());
    }
    AgentFramework framework =
        AgentFramework.start(options, build.asFrameworkProperties(), logging);
    Thread hook = new Thread(() -> stop(framework, options, log), "shutdown");
    Runtime.getRuntime().addShutdownHook(hook);
    int code = framework.awaitExit();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // A signal came first, and its hook ends the process.
      return code;
    }
    stop(framework, options, log);
    return code;
  }

  private static void stop(AgentFramework framework, Options options, Logger log) {
    if (!options.mode().equals("validate")) {
      log.info("Stopping");
    }
    framework.close();
    try {
      AgentFramework.deleteCache(options.runDir());
    } catch (IOException e) {
      log.debug("The cache in {} is left behind: {}", options.runDir(), e.toString());
    }
    framework.requestExit(ExitCode.OK);
  }

  private static Options options(CommandLine line, Map<String, String> env)
      throws IOException, ParseException {
    String home = System.getProperty("agent.home");
    if (home == null) {
      throw new IOException(
          "The system property agent.home is not set; start it with bin/pipeops-agent");
    }
    Path homePath = Path.of(home).toAbsolutePath().normalize();
    Program program = line.program();
    String mode =
        line.command() == Command.VALIDATE ? "validate" : line.has("--safe") ? "safe" : "run";
    String config = line.text("--config", null);
    Path settings = config == null ? defaultSettings(env) : Path.of(config);
    String features = line.text("--features-dir", null);
    String runDir = line.text("--run-dir", null);
    Path run =
        runDir == null ? RunFolder.temporary() : RunFolder.at(Path.of(runDir).toAbsolutePath());
    List<String> flags = new ArrayList<>();
    if (program == Program.SANDBOX) {
      flags.addAll(sandbox(run));
    }
    flags.addAll(line.flags());
    return new Options(
        homePath,
        program,
        mode,
        settings,
        features == null ? homePath.resolve("features") : Path.of(features).toAbsolutePath(),
        run,
        flags);
  }

  /** What joins agent, hub and embedded cluster when all of them are in one process. */
  private static List<String> sandbox(Path runDir) {
    Path state = runDir.resolve("hub");
    Path kubeconfig = runDir.resolve("embedded.kubeconfig");
    return List.of(
        "features.sandbox.enabled=true",
        "sandbox.kubeconfig_file=" + kubeconfig,
        "hub.state_dir=" + state,
        "link.url=https://127.0.0.1:8443",
        "link.token_file=" + state.resolve("agent.token"),
        "link.tls_ca_file=" + state.resolve("ca.crt"),
        "link.cluster_name=sandbox",
        "kubernetes.kubeconfig=" + kubeconfig,
        "tunnel.agent_credentials=true",
        "http.host=127.0.0.1");
  }

  /** Where the existing agent looks, and then where the chart mounts its file; null if nowhere. */
  private static Path defaultSettings(Map<String, String> env) {
    String home = env.getOrDefault("HOME", "/nonexistent");
    for (String dir : List.of(home, "/etc/pipeops", ".")) {
      for (String name : List.of(".pipeops-agent", ".pipeops-agent.yaml")) {
        Path file = Path.of(dir, name);
        if (Files.isRegularFile(file)) {
          return file;
        }
      }
    }
    Path mounted = Path.of("/etc/pipeops/config.yaml");
    return Files.isRegularFile(mounted) ? mounted : null;
  }

  private static String logFormat(Map<String, String> env) {
    for (String name : List.of("AGENT_LOGGING_FORMAT", "PIPEOPS_LOG_FORMAT", "LOG_FORMAT")) {
      String value = env.get(name);
      if (value != null) {
        return value.toLowerCase(Locale.ROOT);
      }
    }
    return terminal() ? "text" : "json";
  }

  /** Whether a person reads standard error. */
  private static boolean terminal() {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }
}
