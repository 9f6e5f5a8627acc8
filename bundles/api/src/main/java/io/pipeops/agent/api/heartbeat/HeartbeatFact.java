package io.pipeops.agent.api.heartbeat;

import java.util.Map;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Something that every heartbeat says (protocol 2.5.3). Fields of later services replace those of
 * earlier ones; {@code metadata} is merged key by key.
 */
@ConsumerType
public interface HeartbeatFact {
  /**
   * Payload fields with JSON-like values. Must answer from memory; a fact that throws is left out.
   */
  Map<String, Object> facts();
}
