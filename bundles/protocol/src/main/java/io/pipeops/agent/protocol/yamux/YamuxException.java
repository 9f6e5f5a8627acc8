package io.pipeops.agent.protocol.yamux;

import java.io.IOException;

/** The stream was reset or its session is over. */
public final class YamuxException extends IOException {
  private static final long serialVersionUID = 1L;

  public YamuxException(String message) {
    super(message);
  }
}
