package io.pipeops.hub.agents;

import java.io.IOException;

/**
 * The agent could not carry out a request; the message is what it said, without control characters.
 */
public final class AgentErrorException extends IOException {
  private static final long serialVersionUID = 1L;

  public AgentErrorException(String message) {
    super(message);
  }
}
