package io.pipeops.agent.link;

import java.io.IOException;
import java.net.URI;
import java.util.Map;

/** Opens sockets to a peer. */
interface Dialer extends AutoCloseable {
  /**
   * Connects and upgrades; when it returns, the socket is open and reading.
   *
   * @param headers of the upgrade request, besides the usual ones
   * @throws RefusedException if the peer refused the upgrade
   * @throws ConfigurationException if a setting or a file of ours is wrong
   * @throws IOException if the peer cannot be reached
   */
  void dial(URI peer, LinkSocket socket, Map<String, String> headers)
      throws IOException, InterruptedException;

  /** Loads what a dial needs, so that the first one is quick. */
  void prepare();

  /** Ends all threads, within a second. */
  @Override
  void close();
}
