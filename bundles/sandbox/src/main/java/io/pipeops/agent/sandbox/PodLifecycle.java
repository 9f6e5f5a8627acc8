package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Plays scheduler and kubelet: pods get a node, begin, become ready, end. No process runs. */
final class PodLifecycle implements Controller {
  private static final Duration STARTING = Duration.ofMillis(400);
  private static final Duration BECOMING_READY = Duration.ofMillis(400);
  private static final Duration ENDING = Duration.ofMillis(400);
  private static final Duration JOB = Duration.ofSeconds(2);

  private enum Step {
    START,
    READY,
    SUCCEED,
    END
  }

  private final Workloads workloads;
  private final ResourceType pods;
  private final Map<String, Map<Step, Instant>> due = new HashMap<>();
  private int addresses = 1;

  PodLifecycle(Workloads workloads) {
    this.workloads = workloads;
    this.pods = workloads.type("pods");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    Set<String> present = new HashSet<>();
    Instant next = null;
    for (ObjectNode pod : workloads.store().items(pods, "")) {
      present.add(Json.uid(pod));
      Instant again = step(pod, now);
      if (again != null && (next == null || again.isBefore(next))) {
        next = again;
      }
    }
    due.keySet().retainAll(present);
    return Optional.ofNullable(next);
  }

  /** Returns when this pod needs the next look; null if only a change can bring it on. */
  private Instant step(ObjectNode pod, Instant now) {
    if (Json.deleting(pod)) {
      return at(pod, Step.END, now, ENDING, this::end);
    }
    if (Json.text(pod, "spec", "nodeName").isEmpty() && !schedule(pod)) {
      return null;
    }
    if (Json.text(pod, "status", "phase").equals("Pending")) {
      prepare(pod);
      return at(pod, Step.START, now, STARTING, this::start);
    }
    if (PodView.finished(pod)) {
      return null;
    }
    if (!PodView.condition(pod, "Ready").equals("True")) {
      return at(pod, Step.READY, now, BECOMING_READY.plus(delay(pod)), this::ready);
    }
    return ofJob(pod) ? at(pod, Step.SUCCEED, now, JOB, this::succeed) : null;
  }

  private Instant at(
      ObjectNode pod,
      Step step,
      Instant now,
      Duration after,
      java.util.function.Consumer<ObjectNode> action) {
    Instant time =
        due.computeIfAbsent(Json.uid(pod), uid -> new HashMap<>())
            .computeIfAbsent(step, first -> now.plus(after));
    if (now.isBefore(time)) {
      return time;
    }
    action.accept(pod);
    return null;
  }

  private static Duration delay(ObjectNode pod) {
    int seconds = 0;
    for (JsonNode container : Json.at(pod, "spec", "containers")) {
      seconds =
          Math.max(seconds, Json.number(container, 0, "readinessProbe", "initialDelaySeconds"));
    }
    return Duration.ofSeconds(Math.clamp(seconds, 0, 10));
  }

  private static boolean ofJob(ObjectNode pod) {
    return Json.at(pod, "metadata", "ownerReferences").path(0).path("kind").asText().equals("Job");
  }

  private boolean schedule(ObjectNode pod) {
    for (ObjectNode node : workloads.living("nodes")) {
      long taken =
          workloads.store().items(pods, "").stream()
              .filter(p -> Json.text(p, "spec", "nodeName").equals(Json.name(node)))
              .filter(p -> !PodView.finished(p))
              .count();
      boolean open = !Json.at(node, "spec", "unschedulable").asBoolean();
      if (open && taken < Json.at(node, "status", "allocatable", "pods").asLong()) {
        workloads
            .store()
            .update(
                pods,
                Json.namespace(pod),
                Json.name(pod),
                present -> {
                  Json.child(present, "spec").put("nodeName", Json.name(node));
                  condition(Json.child(present, "status"), "PodScheduled", true, "");
                  return present;
                });
        workloads.event(
            pod,
            "Normal",
            "Scheduled",
            "Assigned %s/%s to %s".formatted(Json.namespace(pod), Json.name(pod), Json.name(node)));
        return true;
      }
    }
    workloads.status(
        pods, pod, status -> condition(status, "PodScheduled", false, "Unschedulable"));
    return false;
  }

  private void condition(ObjectNode status, String type, boolean value, String reason) {
    String text = value ? "True" : "False";
    ArrayNode conditions = Json.list(status, "conditions");
    for (JsonNode node : conditions) {
      if (Json.text(node, "type").equals(type)) {
        if (!Json.text(node, "status").equals(text)) {
          ((ObjectNode) node)
              .put("status", text)
              .put("lastTransitionTime", Json.time(workloads.now()))
              .remove("reason");
        }
        return;
      }
    }
    ObjectNode condition = conditions.addObject().put("type", type).put("status", text);
    condition.put("lastTransitionTime", Json.time(workloads.now()));
    if (!reason.isEmpty()) {
      condition.put("reason", reason);
    }
  }

  private ObjectNode fresh(ObjectNode pod) {
    return workloads.store().get(pods, Json.namespace(pod), Json.name(pod)).orElse(pod);
  }

  private void prepare(ObjectNode pod) {
    workloads.status(
        pods,
        fresh(pod),
        status -> {
          if (!status.has("startTime")) {
            status.put("startTime", Json.time(workloads.now()));
            status.put("hostIP", ClusterContent.NODE_ADDRESS);
            condition(status, "PodScheduled", true, "");
            condition(status, "Initialized", true, "");
            condition(status, "ContainersReady", false, "ContainersNotReady");
            condition(status, "Ready", false, "ContainersNotReady");
            containers(pod, status, "waiting", "ContainerCreating");
          }
        });
  }

  private void containers(ObjectNode pod, ObjectNode status, String state, String reason) {
    String now = Json.time(workloads.now());
    ArrayNode statuses = Json.array();
    JsonNode before = status.path("containerStatuses");
    int i = 0;
    for (JsonNode container : Json.at(pod, "spec", "containers")) {
      String image = Json.text(container, "image");
      ObjectNode entry = statuses.addObject();
      entry.put("name", Json.text(container, "name")).put("image", image);
      entry.put("imageID", state.equals("waiting") ? "" : "sandbox://" + image);
      String id = Names.hash(Json.uid(pod) + Json.text(container, "name"));
      if (!state.equals("waiting")) {
        entry.put("containerID", "sandbox://" + id);
      }
      entry.put("ready", reason.equals("Ready")).put("started", !state.equals("waiting"));
      entry.put("restartCount", 0).putObject("lastState");
      ObjectNode detail = entry.putObject("state").putObject(state);
      String started = before.path(i++).path("state").path("running").path("startedAt").asText(now);
      switch (state) {
        case "waiting" -> detail.put("reason", reason);
        case "running" -> detail.put("startedAt", started);
        default ->
            detail
                .put("exitCode", 0)
                .put("reason", reason)
                .put("startedAt", started)
                .put("finishedAt", now)
                .put("containerID", "sandbox://" + id);
      }
    }
    status.set("containerStatuses", statuses);
  }

  private void start(ObjectNode pod) {
    addresses = addresses % 65_000 + 1;
    String address = "10.244.%d.%d".formatted(addresses >> 8, addresses & 255);
    workloads.status(
        pods,
        fresh(pod),
        status -> {
          status.put("phase", "Running").put("podIP", address);
          status.putArray("podIPs").addObject().put("ip", address);
          containers(pod, status, "running", "");
        });
    for (JsonNode container : Json.at(pod, "spec", "containers")) {
      workloads.event(
          pod, "Normal", "Started", "Started container " + Json.text(container, "name"));
    }
  }

  private void ready(ObjectNode pod) {
    workloads.status(
        pods,
        pod,
        status -> {
          containers(pod, status, "running", "Ready");
          condition(status, "ContainersReady", true, "");
          condition(status, "Ready", true, "");
        });
  }

  private void succeed(ObjectNode pod) {
    workloads.status(
        pods,
        pod,
        status -> {
          status.put("phase", "Succeeded");
          condition(status, "ContainersReady", false, "PodCompleted");
          condition(status, "Ready", false, "PodCompleted");
          containers(pod, status, "terminated", "Completed");
        });
  }

  private void end(ObjectNode pod) {
    if (!Json.at(pod, "metadata", "finalizers").isEmpty()) {
      return;
    }
    workloads.store().remove(pods, Json.namespace(pod), Json.name(pod));
    ResourceType namespaces = workloads.type("namespaces");
    boolean homeless =
        workloads
            .store()
            .get(namespaces, "", Json.namespace(pod))
            .filter(n -> !Json.deleting(n))
            .isEmpty();
    if (!homeless) {
      workloads.event(pod, "Normal", "Killing", "Stopped the pod's containers");
    }
  }
}
