package io.pipeops.agent.provision;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import java.util.Map;
import java.util.function.Consumer;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.ILoggerFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sets the log's level live, and its form and place through the launcher, which owns them. */
@Component(
    service = {},
    immediate = true,
    configurationPid = "io.pipeops.agent.logging",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = LoggingConfig.class)
public final class LogLevels {
  private final Consumer<Map<String, String>> launcher;

  /**
   * @param launcher takes {@code format} and {@code output}; null where another program started the
   *     framework
   */
  @Activate
  public LogLevels(
      @Reference(target = "(agent.role=logging)", cardinality = ReferenceCardinality.OPTIONAL)
          Consumer<Map<String, String>> launcher,
      LoggingConfig config) {
    this.launcher = launcher;
    apply(config);
  }

  @Modified
  void modified(LoggingConfig config) {
    apply(config);
  }

  private void apply(LoggingConfig config) {
    if (launcher != null) {
      launcher.accept(Map.of("format", config.format(), "output", config.output()));
    }
    apply(config.level());
  }

  static void apply(String level) {
    ILoggerFactory factory = LoggerFactory.getILoggerFactory();
    if (factory instanceof LoggerContext context) {
      context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.toLevel(level, Level.INFO));
    }
  }
}
