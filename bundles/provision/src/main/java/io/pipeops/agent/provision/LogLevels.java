package io.pipeops.agent.provision;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.ILoggerFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sets the log's level live. The launcher alone decides on form and place, once. */
@Component(
    service = {},
    immediate = true,
    configurationPid = "io.pipeops.agent.logging",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = LoggingConfig.class)
public final class LogLevels {
  @Activate
  public LogLevels(LoggingConfig config) {
    apply(config.level());
  }

  @Modified
  void modified(LoggingConfig config) {
    apply(config.level());
  }

  static void apply(String level) {
    ILoggerFactory factory = LoggerFactory.getILoggerFactory();
    if (factory instanceof LoggerContext context) {
      context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.toLevel(level, Level.INFO));
    }
  }
}
