package io.pipeops.hub.agents;

import java.io.IOException;

/** The agent is not connected, or its connection broke before the exchange was complete. */
public final class AgentGoneException extends IOException {
  private static final long serialVersionUID = 1L;

  public AgentGoneException(String message) {
    super(message);
  }
}
