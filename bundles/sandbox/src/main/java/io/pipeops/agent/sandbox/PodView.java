package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;

/** Reads from a pod what people want to know of it. */
final class PodView {
  private PodView() {}

  static String ready(JsonNode pod) {
    int ready = 0;
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      if (status.path("ready").asBoolean()) {
        ready++;
      }
    }
    return ready + "/" + Json.at(pod, "spec", "containers").size();
  }

  static boolean isReady(JsonNode pod) {
    return condition(pod, "Ready").equals("True") && !Json.deleting(pod);
  }

  static boolean finished(JsonNode pod) {
    String phase = Json.text(pod, "status", "phase");
    return phase.equals("Succeeded") || phase.equals("Failed");
  }

  static String status(JsonNode pod) {
    if (Json.deleting(pod)) {
      return "Terminating";
    }
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      String waiting = Json.text(status, "state", "waiting", "reason");
      String ended = Json.text(status, "state", "terminated", "reason");
      if (!waiting.isEmpty() || !ended.isEmpty()) {
        return waiting.isEmpty() ? ended : waiting;
      }
    }
    return Json.text(pod, "status", "phase");
  }

  static int restarts(JsonNode pod) {
    int restarts = 0;
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      restarts += status.path("restartCount").asInt();
    }
    return restarts;
  }

  /** The status of a condition of any object; empty if it has none of that type. */
  static String condition(JsonNode object, String type) {
    for (JsonNode condition : Json.at(object, "status", "conditions")) {
      if (Json.text(condition, "type").equals(type)) {
        return Json.text(condition, "status");
      }
    }
    return "";
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }
}
