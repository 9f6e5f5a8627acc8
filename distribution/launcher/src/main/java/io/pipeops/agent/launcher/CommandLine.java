package io.pipeops.agent.launcher;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The command line: our commands, and the flags of the existing agent as options of {@code run}.
 */
final class CommandLine {
  /**
   * Flags of the existing agent that take text. The settings registry knows what they stand for.
   */
  private static final Map<String, String> EXISTING = new LinkedHashMap<>();

  static {
    EXISTING.put("pipeops-url", "Control plane to connect to (link.url)");
    EXISTING.put("token", "API token; visible in the process list, so prefer link.token_file");
    EXISTING.put("cluster-name", "Name to register as (link.cluster_name)");
    EXISTING.put("agent-id", "Fixed identity (link.agent_id)");
    EXISTING.put(
        "kubeconfig", "Cluster to serve (kubernetes.kubeconfig); default: the one it runs in");
    EXISTING.put("in-cluster", "Accepted; without a kubeconfig this is always so");
    for (String name :
        List.of(
            "enabled",
            "namespace",
            "release-name",
            "env-mode",
            "env-vm-ip",
            "gwapi-enabled",
            "gwapi-gateway-class",
            "istio-enabled",
            "istio-service-create",
            "istio-service-namespace",
            "gwapi-listeners-json",
            "gwapi-tcp-routes-json",
            "gwapi-udp-routes-json",
            "istio-servers-json",
            "istio-tcp-routes-json",
            "istio-tls-routes-json")) {
      EXISTING.put("gateway-" + name, "");
    }
  }

  private CommandLine() {}

  static picocli.CommandLine create(String version) {
    CommandSpec root = CommandSpec.create().name("pipeops-agent").version(version);
    root.usageMessage()
        .description(
            "Connects a Kubernetes cluster to its control plane over one outbound WebSocket.");
    help(root);
    command(root, "run", "Run the agent (the default command).", true);
    command(root, "hub", "Run a self-hosted control plane and gateway.", true);
    command(root, "sandbox", "Run agent, hub and an embedded Kubernetes API in one process.", true);
    command(root, "validate", "Check settings and feature files without starting anything.", true);
    root.subcommands()
        .get("validate")
        .getCommandSpec()
        .addOption(
            OptionSpec.builder("--program")
                .paramLabel("NAME")
                .type(Program.class)
                .description("Whose settings to check: agent (default), hub or sandbox")
                .build());
    CommandSpec features =
        command(
            root,
            "features",
            "List what the running agent consists of, and why something does not run.",
            false);
    features.addOption(
        OptionSpec.builder("--address")
            .paramLabel("URL")
            .type(String.class)
            .description(
                "Local HTTP address of the agent; default: from --run-dir, else http://127.0.0.1:8080")
            .build());
    features.addOption(
        OptionSpec.builder("--run-dir")
            .paramLabel("DIR")
            .type(String.class)
            .description("Run folder of the agent to ask")
            .build());
    features.addOption(
        OptionSpec.builder("--json")
            .type(boolean.class)
            .description("Print the answer as it is")
            .build());
    CommandSpec check =
        command(
            root,
            "check",
            "Ask a running agent whether it is connected and registered; with --hub, also go once through the hub to its cluster.",
            false);
    check.addOption(
        text(
            "--address", "URL", "Local HTTP address of the agent; default: http://127.0.0.1:8080"));
    check.addOption(
        OptionSpec.builder("--wait")
            .paramLabel("SECONDS")
            .type(Integer.class)
            .description("How long to wait for it; default: not at all")
            .build());
    check.addOption(text("--hub", "URL", "Address of the hub"));
    check.addOption(
        text("--hub-token-file", "FILE", "File with an administrator's token of the hub"));
    check.addOption(text("--hub-ca-file", "FILE", "PEM file with the hub's CA"));
    check.addOption(text("--cluster-name", "NAME", "Name of the agent's cluster at the hub"));
    command(root, "version", "Print version, commit and Java run time.", false);
    picocli.CommandLine line = new picocli.CommandLine(root);
    line.setUsageHelpAutoWidth(true);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    return line;
  }

  /**
   * The arguments with {@code run} put in front where the existing agent's command line has no
   * command.
   */
  static String[] withCommand(String[] args) {
    if (args.length > 0
        && (!args[0].startsWith("-")
            || List.of("-h", "--help", "-V", "--version").contains(args[0]))) {
      return args;
    }
    List<String> all = new ArrayList<>(List.of("run"));
    all.addAll(List.of(args));
    return all.toArray(String[]::new);
  }

  private static CommandSpec command(CommandSpec root, String name, String text, boolean starts) {
    CommandSpec spec = CommandSpec.create().name(name);
    spec.usageMessage().description(text);
    help(spec);
    if (starts) {
      spec.addOption(
          text(
              "--config",
              "FILE",
              "Settings file (YAML); default: .pipeops-agent or .pipeops-agent.yaml in the home folder, /etc/pipeops or here; then /etc/pipeops/config.yaml"));
      spec.addOption(
          text(
              "--features-dir",
              "DIR",
              "Folder of feature files; default: features/ of the distribution"));
      spec.addOption(
          text(
              "--run-dir",
              "DIR",
              "Private folder for what lives as long as the process; default: a temporary one"));
      spec.addOption(text("--log-level", "LEVEL", "debug, info, warn or error"));
      spec.addOption(text("--log-format", "FORMAT", "json or text; default: text on a terminal"));
      spec.addOption(
          OptionSpec.builder("--set")
              .paramLabel("KEY=VALUE")
              .arity("1")
              .type(List.class)
              .auxiliaryTypes(String.class)
              .description("One setting, such as tunnel.drain_seconds=5; may be repeated")
              .build());
      spec.addOption(
          OptionSpec.builder("--safe")
              .type(boolean.class)
              .description("Start the platform only, no feature")
              .build());
      EXISTING.forEach(
          (flag, description) ->
              spec.addOption(
                  OptionSpec.builder("--" + flag)
                      .paramLabel("VALUE")
                      .arity("0..1")
                      .fallbackValue("true")
                      .hidden(flag.startsWith("gateway-"))
                      .type(String.class)
                      .description(description)
                      .build()));
    }
    root.addSubcommand(name, spec);
    return spec;
  }

  private static OptionSpec text(String name, String label, String description) {
    return OptionSpec.builder(name)
        .paramLabel(label)
        .type(String.class)
        .description(description)
        .build();
  }

  private static void help(CommandSpec spec) {
    spec.addOption(
        OptionSpec.builder("-h", "--help")
            .usageHelp(true)
            .type(boolean.class)
            .description("Show this text")
            .build());
    if (spec.version().length > 0) {
      spec.addOption(
          OptionSpec.builder("-V", "--version")
              .versionHelp(true)
              .type(boolean.class)
              .description("Show the version")
              .build());
    }
  }

  /**
   * The lines for the settings registry: {@code --set} as they are, existing flags as {@code
   * flag:name=value}.
   */
  static List<String> flags(ParseResult command) {
    List<String> lines = new ArrayList<>();
    EXISTING
        .keySet()
        .forEach(
            flag -> {
              String value = command.matchedOptionValue("--" + flag, null);
              if (value != null) {
                lines.add("flag:" + flag + "=" + value);
              }
            });
    String level = command.matchedOptionValue("--log-level", null);
    if (level != null) {
      lines.add("flag:log-level=" + level);
    }
    List<String> set = command.matchedOptionValue("--set", List.of());
    lines.addAll(set);
    return lines;
  }
}
