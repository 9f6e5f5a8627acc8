package io.pipeops.agent.launcher;

import java.io.IOException;
import org.apache.felix.framework.Logger;
import org.slf4j.LoggerFactory;

/** Sends what the framework says to our log instead of standard output. */
final class FelixLog extends Logger {
  private static final org.slf4j.Logger log = LoggerFactory.getLogger("org.apache.felix.framework");

  @Override
  protected void doLog(int level, String text, Throwable thrown) {
    // A disk that is full or read-only is no fault of the code that finds out.
    boolean expected = thrown instanceof IOException;
    String message = expected ? text + " " + thrown.getMessage() : text;
    Throwable cause = expected ? null : thrown;
    switch (level) {
      case LOG_ERROR -> log.error(message, cause);
      case LOG_WARNING -> log.warn(message, cause);
      case LOG_INFO -> log.info(message, cause);
      default -> log.debug(message, cause);
    }
  }
}
