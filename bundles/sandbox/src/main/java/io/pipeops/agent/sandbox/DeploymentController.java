package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Keeps one ReplicaSet for each template of a Deployment, and moves the pods to the newest. */
final class DeploymentController implements Controller {
  private static final String HASH = "pod-template-hash";
  private static final String REVISION = "deployment.kubernetes.io/revision";

  private final Workloads workloads;
  private final ResourceType deployments;
  private final ResourceType replicaSets;

  DeploymentController(Workloads workloads) {
    this.workloads = workloads;
    this.deployments = workloads.type("deployments.apps");
    this.replicaSets = workloads.type("replicasets.apps");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    for (ObjectNode deployment : workloads.living("deployments.apps")) {
      workloads.adopt("replicasets.apps", deployment);
      roll(deployment);
      status(deployment);
    }
    return Optional.empty();
  }

  private static String hash(ObjectNode deployment) {
    return Names.hash(Json.write(Json.at(deployment, "spec", "template")));
  }

  private static boolean isOf(String hash, ObjectNode replicaSet) {
    return Json.text(replicaSet, "metadata", "labels", HASH).equals(hash);
  }

  private static int replicas(JsonNode object) {
    return Json.number(object, 0, "spec", "replicas");
  }

  private void roll(ObjectNode deployment) {
    List<ObjectNode> all = workloads.owned("replicasets.apps", deployment);
    String hash = hash(deployment);
    ObjectNode newest = all.stream().filter(set -> isOf(hash, set)).findFirst().orElse(null);
    boolean paused = Json.at(deployment, "spec", "paused").asBoolean();
    if (newest == null) {
      if (paused && !all.isEmpty()) {
        return;
      }
      newest = create(deployment, hash, revision(all) + 1);
    } else if (all.size() > 1 && revisionOf(newest) < revision(all)) {
      newest = revise(newest, revision(all) + 1);
    }
    revise(deployments, deployment, revisionOf(newest));
    ObjectNode current = newest;
    List<ObjectNode> old = all.stream().filter(set -> !isOf(hash, set)).toList();
    int target = wantedOfNewest(deployment, current, old);
    scale(deployment, current, target);
    for (ObjectNode set : old) {
      if (replicas(set) > 0) {
        scale(deployment, set, wantedOfOld(deployment, current, set, old));
      }
    }
    prune(deployment, old);
  }

  private static int share(ObjectNode deployment, String field, boolean up) {
    JsonNode value = Json.at(deployment, "spec", "strategy", "rollingUpdate", field);
    String text = value.asText("0");
    if (!text.endsWith("%")) {
      return value.asInt(0);
    }
    double part = Double.parseDouble(text.substring(0, text.length() - 1)) / 100;
    double exact = part * replicas(deployment);
    return (int) (up ? Math.ceil(exact) : Math.floor(exact));
  }

  private static boolean recreates(ObjectNode deployment) {
    return Json.text(deployment, "spec", "strategy", "type").equals("Recreate");
  }

  private int wantedOfNewest(ObjectNode deployment, ObjectNode newest, List<ObjectNode> old) {
    int wanted = replicas(deployment);
    if (recreates(deployment)) {
      boolean oldPods = old.stream().anyMatch(set -> !workloads.owned("pods", set).isEmpty());
      return oldPods ? replicas(newest) : wanted;
    }
    int others = old.stream().mapToInt(DeploymentController::replicas).sum();
    if (others == 0) {
      return wanted;
    }
    int room = wanted + share(deployment, "maxSurge", true) - others;
    return Math.min(wanted, Math.max(replicas(newest), room));
  }

  /** Pods that are not ready go at once; ready ones only as far as enough others are. */
  private int wantedOfOld(
      ObjectNode deployment, ObjectNode newest, ObjectNode set, List<ObjectNode> old) {
    if (recreates(deployment)) {
      return 0;
    }
    int unavailable = share(deployment, "maxUnavailable", false);
    if (unavailable == 0 && share(deployment, "maxSurge", true) == 0) {
      unavailable = 1;
    }
    int ready = ready(newest) + old.stream().mapToInt(this::ready).sum();
    int spare = Math.max(0, ready - (replicas(deployment) - unavailable));
    return Math.max(0, ready(set) - spare);
  }

  private int ready(ObjectNode set) {
    return (int) workloads.activePods(set).stream().filter(PodView::isReady).count();
  }

  private ObjectNode create(ObjectNode deployment, String hash, int revision) {
    ObjectNode set = Json.object();
    ObjectNode meta = Json.meta(set);
    meta.put("name", Json.name(deployment) + "-" + hash);
    meta.set("ownerReferences", Workloads.ownedBy(deployment));
    ObjectNode template = Json.at(deployment, "spec", "template").deepCopy();
    Json.child(Json.meta(template), "labels").put(HASH, hash);
    meta.set("labels", Json.at(template, "metadata", "labels").deepCopy());
    Json.child(meta, "annotations").put(REVISION, Integer.toString(revision));
    ObjectNode spec = set.putObject("spec");
    spec.put("replicas", 0);
    ObjectNode selector = Json.at(deployment, "spec", "selector").deepCopy();
    Json.child(selector, "matchLabels").put(HASH, hash);
    spec.set("selector", selector);
    spec.set("template", template);
    return workloads.create(replicaSets, Json.namespace(deployment), set);
  }

  private static int revisionOf(ObjectNode object) {
    return Json.at(object, "metadata", "annotations", REVISION).asInt(0);
  }

  private static int revision(List<ObjectNode> sets) {
    return sets.stream().mapToInt(DeploymentController::revisionOf).max().orElse(0);
  }

  /** Who goes back to a former template makes a new revision of it. */
  private ObjectNode revise(ObjectNode set, int revision) {
    revise(replicaSets, set, revision);
    return workloads.store().get(replicaSets, Json.namespace(set), Json.name(set)).orElseThrow();
  }

  private void revise(ResourceType type, ObjectNode object, int revision) {
    workloads
        .store()
        .update(
            type,
            Json.namespace(object),
            Json.name(object),
            present -> {
              Json.child(Json.meta(present), "annotations")
                  .put(REVISION, Integer.toString(revision));
              return present;
            });
  }

  private void scale(ObjectNode deployment, ObjectNode set, int wanted) {
    int now = replicas(set);
    if (now == wanted) {
      return;
    }
    workloads.respec(
        replicaSets, set, object -> Json.child(object, "spec").put("replicas", wanted));
    workloads.event(
        deployment,
        "Normal",
        "ScalingReplicaSet",
        "Scaled %s replica set %s from %d to %d"
            .formatted(wanted > now ? "up" : "down", Json.name(set), now, wanted));
  }

  private void prune(ObjectNode deployment, List<ObjectNode> old) {
    int kept = Json.number(deployment, 10, "spec", "revisionHistoryLimit");
    List<ObjectNode> empty =
        old.stream()
            .filter(set -> replicas(set) == 0 && workloads.owned("pods", set).isEmpty())
            .sorted(Comparator.comparingInt(DeploymentController::revisionOf))
            .toList();
    empty.stream()
        .limit(Math.max(0, empty.size() - kept))
        .forEach(set -> workloads.delete(replicaSets, set));
  }

  private void status(ObjectNode deployment) {
    List<ObjectNode> sets = workloads.owned("replicasets.apps", deployment);
    String hash = hash(deployment);
    int pods = 0;
    int updated = 0;
    int ready = 0;
    for (ObjectNode set : sets) {
      int active = workloads.activePods(set).size();
      pods += active;
      updated += isOf(hash, set) ? active : 0;
      ready += ready(set);
    }
    int wanted = replicas(deployment);
    int enough = wanted - share(deployment, "maxUnavailable", false);
    boolean complete = updated == wanted && pods == wanted && ready == wanted;
    int total = pods;
    int fresh = updated;
    int serving = ready;
    workloads.status(
        deployments,
        deployment,
        status -> {
          status.put("observedGeneration", Json.number(deployment, 1, "metadata", "generation"));
          Workloads.count(status, "replicas", total);
          Workloads.count(status, "updatedReplicas", fresh);
          Workloads.count(status, "readyReplicas", serving);
          Workloads.count(status, "availableReplicas", serving);
          Workloads.count(status, "unavailableReplicas", Math.max(0, wanted - serving));
          workloads.condition(
              status,
              "Available",
              serving >= enough,
              serving >= enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
              "%d of %d pods serve".formatted(serving, wanted));
          workloads.condition(
              status,
              "Progressing",
              true,
              complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
              complete ? "all pods are of the newest template" : "pods are being replaced");
        });
  }
}
