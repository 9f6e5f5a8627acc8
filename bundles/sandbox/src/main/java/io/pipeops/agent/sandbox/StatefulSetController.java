package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Keeps the numbered pods of each StatefulSet, one after another. */
final class StatefulSetController implements Controller {
  private static final String REVISION = "controller-revision-hash";

  private final Workloads workloads;
  private final ResourceType sets;

  StatefulSetController(Workloads workloads) {
    this.workloads = workloads;
    this.sets = workloads.type("statefulsets.apps");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    for (ObjectNode set : workloads.living("statefulsets.apps")) {
      String revision =
          Json.name(set) + "-" + Names.hash(Json.write(Json.at(set, "spec", "template")));
      step(set, revision);
      status(set, revision);
    }
    return Optional.empty();
  }

  private static int wanted(ObjectNode set) {
    return Json.number(set, 0, "spec", "replicas");
  }

  private static String revisionOf(ObjectNode pod) {
    return Json.text(pod, "metadata", "labels", REVISION);
  }

  /** At most one pod comes or goes; the next step follows when that is done. */
  private void step(ObjectNode set, String revision) {
    Map<String, ObjectNode> pods = new HashMap<>();
    workloads.owned("pods", set).forEach(pod -> pods.put(Json.name(pod), pod));
    if (pods.values().stream().anyMatch(Json::deleting)) {
      return;
    }
    for (int i = 0; i < wanted(set); i++) {
      String name = Json.name(set) + "-" + i;
      ObjectNode pod = pods.remove(name);
      if (pod == null) {
        String ordinal = Integer.toString(i);
        workloads.createPod(
            set,
            name,
            fresh ->
                Json.child(Json.meta(fresh), "labels")
                    .put(REVISION, revision)
                    .put("apps.kubernetes.io/pod-index", ordinal)
                    .put("statefulset.kubernetes.io/pod-name", name));
        return;
      }
      if (!PodView.isReady(pod)) {
        return;
      }
    }
    Optional<ObjectNode> surplus =
        pods.values().stream().max(java.util.Comparator.comparing(Json::name));
    if (surplus.isPresent()) {
      workloads.deletePod(set, surplus.get());
      return;
    }
    for (int i = wanted(set) - 1; i >= 0; i--) {
      ObjectNode pod =
          workloads
              .store()
              .get(workloads.type("pods"), Json.namespace(set), Json.name(set) + "-" + i)
              .orElseThrow();
      if (!revisionOf(pod).equals(revision)) {
        workloads.deletePod(set, pod);
        return;
      }
    }
  }

  private void status(ObjectNode set, String revision) {
    List<ObjectNode> pods = workloads.activePods(set);
    int ready = (int) pods.stream().filter(PodView::isReady).count();
    int updated = (int) pods.stream().filter(p -> revisionOf(p).equals(revision)).count();
    workloads.status(
        sets,
        set,
        status -> {
          status.put("observedGeneration", Json.number(set, 1, "metadata", "generation"));
          status.put("replicas", pods.size());
          Workloads.count(status, "readyReplicas", ready);
          Workloads.count(status, "availableReplicas", ready);
          Workloads.count(status, "updatedReplicas", updated);
          status.put("updateRevision", revision);
          if (updated == wanted(set) || !status.has("currentRevision")) {
            status.put("currentRevision", revision);
          }
          String current = Json.text(status, "currentRevision");
          Workloads.count(
              status,
              "currentReplicas",
              (int) pods.stream().filter(p -> revisionOf(p).equals(current)).count());
        });
  }
}
