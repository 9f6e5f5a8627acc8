package io.pipeops.agent.api.link;

import java.util.Map;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Something the agent says of itself when it registers (protocol 2.5.1). Fields of later services
 * replace those of earlier ones; the maps {@code metadata}, {@code labels} and {@code server_specs}
 * are merged key by key.
 */
@ConsumerType
public interface RegistrationFact {
  /**
   * Payload fields with JSON-like values (strings, numbers, booleans, maps, lists). May block, but
   * registration does not wait longer than two seconds for all of them together.
   */
  Map<String, Object> facts();
}
