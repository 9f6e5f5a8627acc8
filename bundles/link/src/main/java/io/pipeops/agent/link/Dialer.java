package io.pipeops.agent.link;

import java.io.IOException;
import java.net.URI;

/** Opens sockets to a peer. */
interface Dialer extends AutoCloseable {
  /**
   * Connects and upgrades; when it returns, the connection is open and reading.
   *
   * @throws RefusedException if the peer refused the upgrade
   * @throws ConfigurationException if a setting or a file of ours is wrong
   * @throws IOException if the peer cannot be reached
   */
  void dial(URI peer, LinkConnection connection) throws IOException, InterruptedException;

  /** Loads what a dial needs, so that the first one is quick. */
  void prepare();

  /** Ends all threads, within a second. */
  @Override
  void close();
}
