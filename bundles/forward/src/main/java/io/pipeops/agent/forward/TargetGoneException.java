package io.pipeops.agent.forward;

import java.io.IOException;

/** The target takes no more bytes; what it sent before may still be read. */
final class TargetGoneException extends IOException {
  private static final long serialVersionUID = 1;

  TargetGoneException(IOException cause) {
    super("the target takes no more: " + cause.getMessage(), cause);
  }
}
