package io.pipeops.hub.agents;

import java.io.IOException;

/** The cluster has as many requests in flight as it may have. */
public final class TooManyRequestsException extends IOException {
  private static final long serialVersionUID = 1L;

  public TooManyRequestsException(String message) {
    super(message);
  }
}
