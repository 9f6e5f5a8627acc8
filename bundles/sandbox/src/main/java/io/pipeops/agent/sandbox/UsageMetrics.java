package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** The metrics API: figures that are made up, but move and add up as real ones would. */
final class UsageMetrics {
  private final Resources resources;

  UsageMetrics(Resources resources) {
    this.resources = resources;
  }

  void serve(Exchange exchange, Target target) throws IOException {
    if (!exchange.method().equals("GET")) {
      throw ApiException.methodNotAllowed();
    }
    boolean nodes = target.type().plural().equals("nodes");
    ResourceType kind = resources.catalog().get(nodes ? "nodes" : "pods");
    if (!target.name().isEmpty()) {
      ObjectNode object =
          resources
              .store()
              .get(kind, target.namespace(), target.name())
              .filter(one -> nodes || PodView.isReady(one))
              .orElseThrow(() -> ApiException.notFound(target.type(), target.name()));
      exchange.answer(200, nodes ? node(object) : pod(object));
      return;
    }
    Predicate<JsonNode> chosen = Selectors.labels(exchange.query("labelSelector"));
    List<ObjectNode> figures = new ArrayList<>();
    for (ObjectNode object : resources.store().items(kind, target.namespace())) {
      if (chosen.test(object) && (nodes || PodView.isReady(object))) {
        figures.add(nodes ? node(object) : pod(object));
      }
    }
    exchange.answer(200, Reads.list(target.type(), figures, Json.object()));
  }

  private ObjectNode pod(ObjectNode pod) {
    ObjectNode metrics = figure("PodMetrics", pod);
    var containers = metrics.putArray("containers");
    for (JsonNode container : Json.at(pod, "spec", "containers")) {
      String name = Json.text(container, "name");
      ObjectNode entry = containers.addObject().put("name", name);
      usage(entry, microCores(Json.uid(pod) + name), kibiBytes(Json.uid(pod) + name));
    }
    return metrics;
  }

  private ObjectNode node(ObjectNode node) {
    long cores = 90_000;
    long memory = 600 << 10;
    for (ObjectNode pod : resources.store().items(resources.catalog().get("pods"), "")) {
      if (Json.text(pod, "spec", "nodeName").equals(Json.name(node)) && PodView.isReady(pod)) {
        for (JsonNode container : Json.at(pod, "spec", "containers")) {
          cores += microCores(Json.uid(pod) + Json.text(container, "name"));
          memory += kibiBytes(Json.uid(pod) + Json.text(container, "name"));
        }
      }
    }
    ObjectNode metrics = figure("NodeMetrics", node);
    usage(metrics, cores, memory);
    return metrics;
  }

  private ObjectNode figure(String kind, ObjectNode of) {
    Instant now = resources.now();
    ObjectNode metrics =
        Json.object().put("kind", kind).put("apiVersion", "metrics.k8s.io/v1beta1");
    ObjectNode meta = Json.meta(metrics).put("name", Json.name(of));
    if (!Json.namespace(of).isEmpty()) {
      meta.put("namespace", Json.namespace(of));
    }
    meta.put("creationTimestamp", Json.time(now));
    if (Json.at(of, "metadata").has("labels")) {
      meta.set("labels", Json.at(of, "metadata", "labels"));
    }
    metrics.put("timestamp", Json.time(now)).put("window", "15s");
    return metrics;
  }

  private static void usage(ObjectNode entry, long microCores, long kibiBytes) {
    entry.putObject("usage").put("cpu", microCores * 1000 + "n").put("memory", kibiBytes + "Ki");
  }

  /** Swings between about 2 and 12 thousandths of a core, each container at its own pace. */
  private long microCores(String seed) {
    double phase = (seed.hashCode() & 0xffff) / 1000.0;
    double wave = Math.sin(resources.now().toEpochMilli() / 20_000.0 + phase);
    return Math.round(7000 + 5000 * wave);
  }

  private long kibiBytes(String seed) {
    double phase = (seed.hashCode() & 0xffff) / 777.0;
    double wave = Math.sin(resources.now().toEpochMilli() / 60_000.0 + phase);
    return Math.round((24 + 4 * wave) * 1024) + (seed.hashCode() & 0xfff);
  }
}
