package io.pipeops.agent.launcher;

import java.util.Locale;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;

/**
 * What {@code pipeops-agent} can be told to do, and the options of each. The options of one command
 * are only made when they are asked for: a start reads those of its own command and of no other.
 */
enum Command {
  RUN("Run the agent (the default command).", true),
  HUB("Run a self-hosted control plane and gateway.", true),
  SANDBOX("Run agent, hub and an embedded Kubernetes API in one process.", true),
  VALIDATE("Check settings and feature files without starting anything.", true),
  FEATURES("List what the running agent consists of, and why something does not run.", false),
  CHECK(
      "Ask a running agent whether it is connected and registered; with --hub, also go once through"
          + " the hub to its cluster.",
      false),
  VERSION("Print version, commit and Java run time.", false);

  /** Flags of the existing agent that help does not list; they take effect all the same. */
  private static final String[] GATEWAY = {
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
    "istio-tls-routes-json"
  };

  private final String description;
  private final boolean reads;

  /**
   * A command.
   *
   * @param reads whether it reads settings, and so takes the options that stand for some
   */
  Command(String description, boolean reads) {
    this.description = description;
    this.reads = reads;
  }

  /** The command of this name. */
  static Command named(String name) throws ParseException {
    StringBuilder all = new StringBuilder();
    for (Command command : values()) {
      if (command.id().equals(name)) {
        return command;
      }
      all.append(all.isEmpty() ? "" : ", ").append(command.id());
    }
    throw new ParseException("Unknown command: '" + name + "'; the commands are " + all);
  }

  /** As it is typed. */
  String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  String description() {
    return description;
  }

  /** New ones at each call. Those without a description are not listed by help. */
  Options options() {
    Options options = new Options();
    if (reads) {
      settings(options);
    }
    if (this == VALIDATE) {
      value(options, "program", "NAME", "Whose settings to check: agent (default), hub or sandbox");
    } else if (this == FEATURES) {
      value(
          options,
          "address",
          "URL",
          "Local HTTP address of the agent; default: from --run-dir, else http://127.0.0.1:8080");
      value(options, "run-dir", "DIR", "Run folder of the agent to ask");
      options.addOption(null, "json", false, "Print the answer as it is");
    } else if (this == CHECK) {
      value(
          options,
          "address",
          "URL",
          "Local HTTP address of the agent; default: http://127.0.0.1:8080");
      value(options, "wait", "SECONDS", "How long to wait for it; default: not at all");
      value(options, "hub", "URL", "Address of the hub");
      value(options, "hub-token-file", "FILE", "File with an administrator's token of the hub");
      value(options, "hub-ca-file", "FILE", "PEM file with the hub's CA");
      value(options, "cluster-name", "NAME", "Name of the agent's cluster at the hub");
    }
    options.addOption("h", "help", false, "Show this text");
    return options;
  }

  private static void settings(Options options) {
    value(
        options,
        "config",
        "FILE",
        "Settings file (YAML); default: .pipeops-agent or .pipeops-agent.yaml in the home folder,"
            + " /etc/pipeops or here; then /etc/pipeops/config.yaml");
    value(
        options,
        "set",
        "KEY=VALUE",
        "One setting, such as tunnel.drain_seconds=5; may be repeated");
    value(
        options,
        "features-dir",
        "DIR",
        "Folder of feature files; default: that of the distribution");
    value(
        options,
        "run-dir",
        "DIR",
        "Private folder for what lives as long as the process; default: a temporary one");
    value(options, "log-level", "LEVEL", "debug, info, warn or error");
    value(options, "log-format", "FORMAT", "json or text; default: text on a terminal");
    options.addOption(null, "safe", false, "Start the platform only, no feature");
    existing(options, "pipeops-url", "Control plane to connect to (link.url)");
    existing(options, "token", "API token; visible in the process list, so prefer link.token_file");
    existing(options, "cluster-name", "Name to register as (link.cluster_name)");
    existing(options, "agent-id", "Fixed identity (link.agent_id)");
    existing(
        options,
        "kubeconfig",
        "Cluster to serve (kubernetes.kubeconfig); default: the one it runs in");
    existing(options, "in-cluster", "Accepted; without a kubeconfig this is always so");
    for (String name : GATEWAY) {
      existing(options, "gateway-" + name, null);
    }
  }

  private static Option value(Options options, String name, String label, String description) {
    Option option = new Option(null, name, true, description);
    option.setArgName(label);
    options.addOption(option);
    return option;
  }

  /** A flag of the existing agent. The settings registry knows what it stands for. */
  private static void existing(Options options, String name, String description) {
    value(options, name, "VALUE", description).setOptionalArg(true);
  }
}
