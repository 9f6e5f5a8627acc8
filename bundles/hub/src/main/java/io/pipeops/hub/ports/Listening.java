package io.pipeops.hub.ports;

/** A port that is open. */
interface Listening extends AutoCloseable {
  /** The port, as it was opened. */
  int port();

  /** Closes it and all that came by it. */
  @Override
  void close();
}
