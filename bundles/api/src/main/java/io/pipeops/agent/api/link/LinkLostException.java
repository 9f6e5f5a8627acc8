package io.pipeops.agent.api.link;

import java.io.IOException;

/** The connection is gone, so the message was not and will not be sent. */
public final class LinkLostException extends IOException {
  private static final long serialVersionUID = 1L;

  public LinkLostException(String message) {
    super(message);
  }

  public LinkLostException(String message, Throwable cause) {
    super(message, cause);
  }
}
