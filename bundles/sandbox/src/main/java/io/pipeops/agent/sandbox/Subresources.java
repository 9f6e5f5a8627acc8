package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Answers for the parts of an object that have a life of their own. */
final class Subresources {
  private final Resources resources;
  private final Reads reads;
  private final Writes writes;
  private final PodLog logs;
  private final Tokens tokens;

  Subresources(Resources resources, Reads reads, Writes writes, PodLog logs, Tokens tokens) {
    this.resources = resources;
    this.reads = reads;
    this.writes = writes;
    this.logs = logs;
    this.tokens = tokens;
  }

  void serve(Exchange exchange, Target target) throws IOException, InterruptedException {
    switch (target.subresource()) {
      case "status", "ephemeralcontainers" -> object(exchange, target);
      case "scale" -> scale(exchange, target);
      case "log" -> {
        only(exchange, "GET");
        logs.serve(exchange, target);
      }
      case "token" -> token(exchange, target);
      case "eviction" -> evict(exchange, target);
      case "finalize" -> finish(exchange, target);
      case "proxy" -> proxy(exchange, target);
      default -> {
        require(target);
        throw ApiException.notImplemented(
            "%s does not work in the sandbox: its pods have no processes to reach"
                .formatted(target.subresource()));
      }
    }
  }

  private static void only(Exchange exchange, String method) {
    if (!exchange.method().equals(method)) {
      throw ApiException.methodNotAllowed();
    }
  }

  private ObjectNode require(Target target) {
    return resources
        .store()
        .get(target.type(), target.namespace(), target.name())
        .orElseThrow(() -> ApiException.notFound(target.type(), target.name()));
  }

  private void object(Exchange exchange, Target target) throws IOException {
    switch (exchange.method()) {
      case "GET" -> reads.get(exchange, target);
      case "PUT" -> writes.update(exchange, target);
      case "PATCH" -> writes.patch(exchange, target);
      default -> throw ApiException.methodNotAllowed();
    }
  }

  private void scale(Exchange exchange, Target target) throws IOException {
    ObjectNode before = require(target);
    switch (exchange.method()) {
      case "GET" -> exchange.answer(200, scaleOf(before));
      case "PUT" -> {
        ObjectNode wanted = exchange.object();
        exchange.answer(200, rescale(exchange, target, scale -> wanted));
      }
      case "PATCH" -> {
        JsonNode patch = exchange.body();
        exchange.answer(
            200,
            rescale(
                exchange, target, scale -> Writes.patched(exchange.contentType(), scale, patch)));
      }
      default -> throw ApiException.methodNotAllowed();
    }
  }

  private ObjectNode rescale(
      Exchange exchange, Target target, java.util.function.UnaryOperator<ObjectNode> change) {
    return scaleOf(
        resources.change(
            target.type(),
            target.namespace(),
            target.name(),
            Writes.how(exchange, ""),
            object -> {
              ObjectNode scale = change.apply(scaleOf(object));
              String version = Json.text(scale, "metadata", "resourceVersion");
              JsonNode replicas = Json.at(scale, "spec", "replicas");
              Json.child(object, "spec").put("replicas", replicas.asInt(0));
              if (version.isEmpty()) {
                Json.meta(object).remove("resourceVersion");
              } else {
                Json.meta(object).put("resourceVersion", version);
              }
              return object;
            }));
  }

  private static ObjectNode scaleOf(ObjectNode object) {
    ObjectNode scale = Json.object().put("kind", "Scale").put("apiVersion", "autoscaling/v1");
    ObjectNode meta = Json.meta(scale);
    for (String field :
        List.of("name", "namespace", "uid", "resourceVersion", "creationTimestamp")) {
      meta.set(field, Json.at(object, "metadata", field));
    }
    scale.putObject("spec").put("replicas", Json.number(object, 0, "spec", "replicas"));
    List<String> selector = new ArrayList<>();
    for (Map.Entry<String, JsonNode> label :
        Json.at(object, "spec", "selector", "matchLabels").properties()) {
      selector.add(label.getKey() + "=" + label.getValue().asText());
    }
    scale
        .putObject("status")
        .put("replicas", Json.number(object, 0, "status", "replicas"))
        .put("selector", String.join(",", selector));
    return scale;
  }

  private void token(Exchange exchange, Target target) throws IOException {
    only(exchange, "POST");
    require(target);
    ObjectNode request = exchange.object();
    long seconds = Json.at(request, "spec", "expirationSeconds").asLong(3600);
    String user = "system:serviceaccount:%s:%s".formatted(target.namespace(), target.name());
    Tokens.Issued issued = tokens.issue(user, Math.clamp(seconds, 600, 86_400));
    request.put("kind", "TokenRequest").put("apiVersion", "authentication.k8s.io/v1");
    ObjectNode meta = Json.meta(request);
    meta.put("name", target.name()).put("namespace", target.namespace());
    request
        .putObject("status")
        .put("token", issued.token())
        .put("expirationTimestamp", Json.time(issued.expires()));
    exchange.answer(201, request);
  }

  private void evict(Exchange exchange, Target target) throws IOException {
    only(exchange, "POST");
    ObjectNode eviction = exchange.object();
    Resources.Write how = Writes.how(exchange, "");
    resources.delete(
        target.type(),
        target.namespace(),
        target.name(),
        eviction.path("deleteOptions"),
        how.dryRun());
    ObjectNode status = Json.object();
    status.put("kind", "Status").put("apiVersion", "v1").putObject("metadata");
    exchange.answer(201, status.put("status", "Success").put("code", 201));
  }

  private void finish(Exchange exchange, Target target) throws IOException {
    only(exchange, "PUT");
    ObjectNode wanted = exchange.object();
    ObjectNode namespace =
        resources
            .store()
            .update(
                target.type(),
                "",
                target.name(),
                object -> {
                  Json.child(object, "spec")
                      .set("finalizers", Json.at(wanted, "spec", "finalizers").deepCopy());
                  return object;
                });
    exchange.answer(200, namespace);
  }

  /** A page that tells who would have answered; there is no process behind a pod. */
  private void proxy(Exchange exchange, Target target) throws IOException {
    int colon = target.name().indexOf(':');
    String name = colon < 0 ? target.name() : target.name().split(":", -1)[colon == 0 ? 1 : 0];
    Target named =
        new Target(target.type(), target.namespace(), name, target.subresource(), target.rest());
    ObjectNode object = require(named);
    boolean pod = target.type().plural().equals("pods");
    List<ObjectNode> ready =
        (pod
                ? List.of(object)
                : resources
                    .store()
                    .items(resources.catalog().get("pods"), target.namespace())
                    .stream()
                    .filter(Selectors.map(Json.at(object, "spec", "selector")))
                    .toList())
            .stream().filter(PodView::isReady).toList();
    if (ready.isEmpty()) {
      throw ApiException.unavailable(
          "%s %s has no pod that is ready".formatted(target.type().singular(), name));
    }
    ObjectNode one = ready.get((int) (resources.now().toEpochMilli() % ready.size()));
    exchange.text(
        "Hello from pod %s of namespace %s, path /%s\n"
            .formatted(Json.name(one), target.namespace(), String.join("/", target.rest())));
  }
}
