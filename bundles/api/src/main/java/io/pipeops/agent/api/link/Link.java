package io.pipeops.agent.api.link;

import java.time.Duration;
import java.util.concurrent.TimeoutException;
import org.osgi.annotation.versioning.ProviderType;

/** The agent's one connection to its control plane or gateway. */
@ProviderType
public interface Link {
  LinkStatus status();

  /**
   * Sends a message on the present connection and returns when it has been written to the socket.
   *
   * @throws LinkLostException if there is no connection, or it went away meanwhile
   * @throws TimeoutException if it could not be written within the limit
   */
  void deliver(Outgoing message, Duration limit)
      throws LinkLostException, TimeoutException, InterruptedException;

  /**
   * Asks for a new registration on the controller's connection, because what was registered is no
   * longer true (a rotated token, say). Returns at once; does nothing if one is under way.
   */
  void register(String reason);
}
