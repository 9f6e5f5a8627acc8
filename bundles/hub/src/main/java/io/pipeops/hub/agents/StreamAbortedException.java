package io.pipeops.hub.agents;

import java.io.IOException;

/** The hub itself gave up a request, because of a limit or because its caller did. */
public final class StreamAbortedException extends IOException {
  private static final long serialVersionUID = 1L;

  public StreamAbortedException(String message) {
    super(message);
  }
}
