package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;

/** The few things the sandbox has to know of resource quantities. */
final class Quantities {
  private Quantities() {}

  /** How a pod is treated when memory is short, from its requests and limits. */
  static String qosClass(JsonNode spec) {
    boolean any = false;
    boolean guaranteed = true;
    for (JsonNode container : spec.path("containers")) {
      JsonNode requests = Json.at(container, "resources", "requests");
      JsonNode limits = Json.at(container, "resources", "limits");
      any |= !requests.isEmpty() || !limits.isEmpty();
      for (String resource : new String[] {"cpu", "memory"}) {
        JsonNode limit = limits.path(resource);
        guaranteed &= !limit.isMissingNode();
        guaranteed &= !requests.has(resource) || requests.path(resource).equals(limit);
      }
    }
    if (!any) {
      return "BestEffort";
    }
    return guaranteed ? "Guaranteed" : "Burstable";
  }
}
