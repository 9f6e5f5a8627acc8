package io.pipeops.agent.launcher;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.Layout;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log, set up on standard error before anything logs: JSON lines for machines, or text for a
 * person. Level, form and place follow the settings later.
 */
final class Logging implements Consumer<Map<String, String>> {
  private static final String TEXT = "%d{HH:mm:ss.SSS} %-5level %-26.26logger{26} %msg%n";

  private final String given;
  private String now = "";
  private ConsoleAppender<ILoggingEvent> appender;

  /**
   * Begins to log.
   *
   * @param format {@code json} or {@code text}: also what the setting {@code auto} means later
   * @param level an unknown one is INFO
   */
  Logging(String format, String level) {
    this.given = format;
    LoggerContext context = context();
    context.reset();
    change(Map.of("format", format, "output", "stderr"));
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.toLevel(level, Level.INFO));
    // Jetty and fabric8 tell at INFO what only their developers want to know.
    for (String library :
        List.of("org.eclipse.jetty", "org.apache.felix", "io.fabric8", "org.flywaydb")) {
      context.getLogger(library).setLevel(Level.WARN);
    }
    // The pool prints stack traces of what our own line says better.
    context.getLogger("com.zaxxer.hikari").setLevel(Level.ERROR);
  }

  private static LoggerContext context() {
    return (LoggerContext) LoggerFactory.getILoggerFactory();
  }

  /**
   * Changes {@code format} and {@code output} while it logs; the service that settings arrive by.
   */
  @Override
  public void accept(Map<String, String> settings) {
    change(settings);
  }

  private synchronized void change(Map<String, String> settings) {
    String format = settings.get("format").equals("auto") ? given : settings.get("format");
    String output = settings.get("output");
    if (now.equals(format + output)) {
      return;
    }
    now = format + output;
    LoggerContext context = context();
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
    console.setTarget(output.equals("stdout") ? "System.out" : "System.err");
    console.setEncoder(encoder);
    console.start();
    ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.addAppender(console);
    if (appender != null) {
      root.detachAppender(appender);
    }
    appender = console;
  }
}
