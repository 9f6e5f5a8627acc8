package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.ThreadLocalRandom;

/** Fills in what a cluster would fill in when an object leaves it open. */
final class Defaults {
  private Defaults() {}

  static void apply(ResourceType type, ObjectNode object) {
    switch (type.qualified()) {
      case "pods" -> pod(Json.child(object, "spec"));
      case "services" -> service(Json.child(object, "spec"));
      case "secrets" -> secret(object);
      case "deployments.apps" -> {
        workload(object);
        ObjectNode spec = Json.child(object, "spec");
        value(spec, "revisionHistoryLimit", 10);
        value(spec, "progressDeadlineSeconds", 600);
        ObjectNode strategy = Json.child(spec, "strategy");
        value(strategy, "type", "RollingUpdate");
        if (Json.text(strategy, "type").equals("RollingUpdate")) {
          ObjectNode rolling = Json.child(strategy, "rollingUpdate");
          value(rolling, "maxUnavailable", "25%");
          value(rolling, "maxSurge", "25%");
        }
      }
      case "replicasets.apps" -> workload(object);
      case "statefulsets.apps" -> {
        workload(object);
        ObjectNode spec = Json.child(object, "spec");
        value(spec, "podManagementPolicy", "OrderedReady");
        value(spec, "revisionHistoryLimit", 10);
        value(Json.child(spec, "updateStrategy"), "type", "RollingUpdate");
      }
      case "daemonsets.apps" -> {
        template(object);
        ObjectNode spec = Json.child(object, "spec");
        value(spec, "revisionHistoryLimit", 10);
        value(Json.child(spec, "updateStrategy"), "type", "RollingUpdate");
      }
      case "jobs.batch" -> {
        template(object);
        ObjectNode spec = Json.child(object, "spec");
        value(spec, "parallelism", 1);
        value(spec, "completions", 1);
        value(spec, "backoffLimit", 6);
        value(spec, "completionMode", "NonIndexed");
      }
      case "namespaces" -> {
        Json.child(Json.meta(object), "labels")
            .put("kubernetes.io/metadata.name", Json.name(object));
        if (!object.has("spec")) {
          Json.list(Json.child(object, "spec"), "finalizers").add("kubernetes");
        }
      }
      default -> {}
    }
  }

  private static void value(ObjectNode node, String field, String value) {
    if (!node.hasNonNull(field)) {
      node.put(field, value);
    }
  }

  private static void value(ObjectNode node, String field, int value) {
    if (!node.hasNonNull(field)) {
      node.put(field, value);
    }
  }

  private static void workload(ObjectNode object) {
    value(Json.child(object, "spec"), "replicas", 1);
    template(object);
  }

  private static void template(ObjectNode object) {
    pod(Json.child(Json.child(Json.child(object, "spec"), "template"), "spec"));
  }

  static void pod(ObjectNode spec) {
    value(spec, "restartPolicy", "Always");
    value(spec, "terminationGracePeriodSeconds", 30);
    value(spec, "dnsPolicy", "ClusterFirst");
    value(spec, "schedulerName", "default-scheduler");
    Json.child(spec, "securityContext");
    for (String field : new String[] {"containers", "initContainers"}) {
      for (JsonNode container : spec.path(field)) {
        if (container instanceof ObjectNode node) {
          container(node);
        }
      }
    }
  }

  private static void container(ObjectNode container) {
    String image = Json.text(container, "image");
    boolean latest = image.endsWith(":latest") || image.lastIndexOf(':') <= image.lastIndexOf('/');
    value(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
    value(container, "terminationMessagePath", "/dev/termination-log");
    value(container, "terminationMessagePolicy", "File");
    Json.child(container, "resources");
    for (JsonNode port : container.path("ports")) {
      if (port instanceof ObjectNode node) {
        value(node, "protocol", "TCP");
      }
    }
  }

  private static void service(ObjectNode spec) {
    value(spec, "type", "ClusterIP");
    value(spec, "sessionAffinity", "None");
    for (JsonNode item : spec.path("ports")) {
      if (item instanceof ObjectNode port) {
        value(port, "protocol", "TCP");
        if (!port.has("targetPort")) {
          port.set("targetPort", port.path("port"));
        }
        boolean outside = !Json.text(spec, "type").equals("ClusterIP");
        if (outside && !port.has("nodePort")) {
          port.put("nodePort", 30000 + ThreadLocalRandom.current().nextInt(2768));
        }
      }
    }
    if (Json.text(spec, "type").equals("ExternalName")) {
      return;
    }
    if (!spec.hasNonNull("clusterIP")) {
      int address = ThreadLocalRandom.current().nextInt(2, 65_000);
      spec.put("clusterIP", "10.96.%d.%d".formatted(address >> 8, address & 255));
    }
    if (!spec.has("clusterIPs")) {
      spec.putArray("clusterIPs").add(Json.text(spec, "clusterIP"));
    }
    value(spec, "internalTrafficPolicy", "Cluster");
    value(spec, "ipFamilyPolicy", "SingleStack");
    if (!spec.has("ipFamilies")) {
      spec.putArray("ipFamilies").add("IPv4");
    }
  }

  private static void secret(ObjectNode secret) {
    value(secret, "type", "Opaque");
    if (secret.remove("stringData") instanceof ObjectNode plain) {
      ObjectNode data = Json.child(secret, "data");
      plain
          .properties()
          .forEach(
              entry ->
                  data.put(
                      entry.getKey(),
                      Base64.getEncoder()
                          .encodeToString(
                              entry.getValue().asText().getBytes(StandardCharsets.UTF_8))));
    }
  }
}
