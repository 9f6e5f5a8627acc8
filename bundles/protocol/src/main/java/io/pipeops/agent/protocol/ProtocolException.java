package io.pipeops.agent.protocol;

import java.io.IOException;

/**
 * The peer sent something that the protocol does not allow. The message tells what, never quotes
 * the peer's bytes, and may be logged or sent back.
 */
public final class ProtocolException extends IOException {
  private static final long serialVersionUID = 1L;

  public ProtocolException(String message) {
    super(message);
  }
}
