package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** What fields the objects of a kind have. */
final class Schemas {
  /** What an object has that its kind does not know. */
  List<String> faults(ResourceType type, ObjectNode object) {
    return List.of();
  }

  /** Refuses a value of the wrong type, such as text where a number belongs. */
  void requireTypes(ResourceType type, ObjectNode object) {}
}
