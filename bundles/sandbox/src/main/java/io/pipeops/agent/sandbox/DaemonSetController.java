package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Keeps one pod of each DaemonSet on each node. */
final class DaemonSetController implements Controller {
  private static final String REVISION = "controller-revision-hash";

  private final Workloads workloads;
  private final ResourceType sets;

  DaemonSetController(Workloads workloads) {
    this.workloads = workloads;
    this.sets = workloads.type("daemonsets.apps");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    List<ObjectNode> nodes = workloads.living("nodes");
    for (ObjectNode set : workloads.living("daemonsets.apps")) {
      String revision = Names.hash(Json.write(Json.at(set, "spec", "template")));
      List<ObjectNode> pods = workloads.activePods(set);
      for (ObjectNode node : nodes) {
        boolean there =
            pods.stream().anyMatch(p -> Json.text(p, "spec", "nodeName").equals(Json.name(node)));
        if (!there) {
          workloads.createPod(
              set,
              Json.name(set) + "-",
              pod -> {
                Json.child(pod, "spec").put("nodeName", Json.name(node));
                Json.child(Json.meta(pod), "labels").put(REVISION, revision);
              });
        }
      }
      pods.stream()
          .filter(pod -> !revisionOf(pod).equals(revision))
          .forEach(pod -> workloads.deletePod(set, pod));
      status(set, nodes.size(), revision);
    }
    return Optional.empty();
  }

  private static String revisionOf(ObjectNode pod) {
    return Json.text(pod, "metadata", "labels", REVISION);
  }

  private void status(ObjectNode set, int wanted, String revision) {
    List<ObjectNode> pods = workloads.activePods(set);
    int ready = (int) pods.stream().filter(PodView::isReady).count();
    int updated = (int) pods.stream().filter(p -> revisionOf(p).equals(revision)).count();
    workloads.status(
        sets,
        set,
        status -> {
          status.put("observedGeneration", Json.number(set, 1, "metadata", "generation"));
          status.put("desiredNumberScheduled", wanted).put("currentNumberScheduled", pods.size());
          status.put("numberReady", ready).put("numberMisscheduled", 0);
          Workloads.count(status, "updatedNumberScheduled", updated);
          Workloads.count(status, "numberAvailable", ready);
        });
  }
}
