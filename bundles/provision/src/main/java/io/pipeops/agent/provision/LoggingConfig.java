package io.pipeops.agent.provision;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

/** Settings of the log. */
@ObjectClassDefinition(name = "Logging", description = "What is logged and how")
@interface LoggingConfig {
  @AttributeDefinition(
      options = {
        @Option(label = "trace", value = "trace"),
        @Option(label = "debug", value = "debug"),
        @Option(label = "info", value = "info"),
        @Option(label = "warn", value = "warn"),
        @Option(label = "error", value = "error")
      },
      description = "Least important messages that are logged; a change takes effect at once")
  String level() default "info";

  @AttributeDefinition(
      options = {
        @Option(label = "auto", value = "auto"),
        @Option(label = "json", value = "json"),
        @Option(label = "text", value = "text")
      },
      description =
          "Form of a log line; auto is what the program was started with: text on a terminal, else"
              + " json. A change takes effect at once")
  String format() default "auto";

  @AttributeDefinition(
      options = {
        @Option(label = "stderr", value = "stderr"),
        @Option(label = "stdout", value = "stdout")
      },
      description = "Where log lines go; a change takes effect at once")
  String output() default "stderr";
}
