package io.pipeops.agent.api.link;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Handles messages of the types it names in the service property {@link #TYPES}. The service with
 * the highest ranking gets the message; one that sets {@link #DRAINING} gets none unless it is the
 * only one. While a type's handler is away, its messages wait in a bounded queue for a bounded
 * time.
 */
@ConsumerType
public interface LinkHandler {
  /** Service property, {@code String+}: the message types. */
  String TYPES = "link.type";

  /** Service property, {@code Boolean}: takes no new streams. */
  String DRAINING = "draining";

  /**
   * Called on the connection's reader thread, in the order of arrival: must not block. A handler
   * that throws is logged and costs the message, never the connection.
   */
  void handle(Message message, Reply reply);
}
