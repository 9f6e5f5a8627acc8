package io.pipeops.agent.launcher;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.Layout;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sets up the log on standard error before anything logs: JSON lines for machines, or text for a
 * person. The level follows the settings later.
 */
final class Logging {
  private static final String TEXT = "%d{HH:mm:ss.SSS} %-5level %-26.26logger{26} %msg%n";

  private Logging() {}

  /** Format {@code json} or {@code text}; an unknown level is INFO. */
  static void configure(String format, String level) {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    context.reset();
    Layout<ILoggingEvent> layout;
    if (format.equals("text")) {
      PatternLayout text = new PatternLayout();
      text.setPattern(TEXT);
      layout = text;
    } else {
      layout = new JsonLines();
    }
    layout.setContext(context);
    layout.start();
    LayoutWrappingEncoder<ILoggingEvent> encoder = new LayoutWrappingEncoder<>();
    encoder.setContext(context);
    encoder.setLayout(layout);
    encoder.start();
    ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
    console.setContext(context);
    console.setName("console");
    console.setTarget("System.err");
    console.setEncoder(encoder);
    console.start();
    ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.setLevel(Level.toLevel(level, Level.INFO));
    root.addAppender(console);
    // Jetty and fabric8 tell at INFO what only their developers want to know.
    context.getLogger("org.eclipse.jetty").setLevel(Level.WARN);
    context.getLogger("org.apache.felix").setLevel(Level.WARN);
    context.getLogger("io.fabric8").setLevel(Level.WARN);
    context.getLogger("org.flywaydb").setLevel(Level.WARN);
  }
}
