package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Keeps as many pods as each ReplicaSet wants. */
final class ReplicaSetController implements Controller {
  private final Workloads workloads;
  private final ResourceType replicaSets;

  ReplicaSetController(Workloads workloads) {
    this.workloads = workloads;
    this.replicaSets = workloads.type("replicasets.apps");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    for (ObjectNode set : workloads.living("replicasets.apps")) {
      workloads.adopt("pods", set);
      List<ObjectNode> pods = workloads.activePods(set);
      int wanted = Json.number(set, 0, "spec", "replicas");
      for (int i = pods.size(); i < wanted; i++) {
        workloads.createPod(set, Json.name(set) + "-", pod -> {});
      }
      pods.stream()
          .sorted(
              Comparator.comparing(PodView::isReady)
                  .thenComparing(Comparator.comparingLong(Json::version).reversed()))
          .limit(Math.max(0, pods.size() - wanted))
          .forEach(pod -> workloads.deletePod(set, pod));
      status(set);
    }
    return Optional.empty();
  }

  private void status(ObjectNode set) {
    List<ObjectNode> pods = workloads.activePods(set);
    int ready = (int) pods.stream().filter(PodView::isReady).count();
    workloads.status(
        replicaSets,
        set,
        status -> {
          status.put("observedGeneration", Json.number(set, 1, "metadata", "generation"));
          status.put("replicas", pods.size());
          Workloads.count(status, "fullyLabeledReplicas", pods.size());
          Workloads.count(status, "readyReplicas", ready);
          Workloads.count(status, "availableReplicas", ready);
        });
  }
}
