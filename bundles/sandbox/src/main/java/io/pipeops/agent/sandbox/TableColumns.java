package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Which columns the table of a kind has. */
final class TableColumns {
  /** The value of a cell. */
  interface Cell {
    JsonNode value(JsonNode object, Instant now);
  }

  /**
   * A column.
   *
   * @param wide whether it is shown only when more is asked for
   */
  record Column(String name, String type, String description, boolean wide, Cell cell) {}

  private static final String NONE = "<none>";

  private final List<Column> columns = new ArrayList<>();

  private TableColumns() {}

  static List<Column> of(ResourceType type) {
    TableColumns table = new TableColumns();
    if (type.qualified().equals("events")) {
      table.events();
      return table.columns;
    }
    table.text("Name", "Name, unique in its namespace", Json::name);
    switch (type.qualified()) {
      case "pods" -> table.pods();
      case "services" -> table.services();
      case "namespaces" -> table.text("Status", "Phase", o -> Json.text(o, "status", "phase"));
      case "nodes" -> table.nodes();
      case "configmaps" -> table.number("Data", "Number of keys", TableColumns::keys);
      case "secrets" -> {
        table.text("Type", "What the secret is for", o -> Json.text(o, "type"));
        table.number("Data", "Number of keys", TableColumns::keys);
      }
      case "serviceaccounts" ->
          table.number("Secrets", "Number of secrets", o -> o.path("secrets").size());
      case "endpoints" -> table.text("Endpoints", "Addresses", TableColumns::endpoints);
      case "deployments.apps" -> table.deployments();
      case "replicasets.apps" -> table.replicaSets();
      case "statefulsets.apps" -> {
        table.text("Ready", "Ready of wanted pods", o -> ready(o, "readyReplicas"));
      }
      case "daemonsets.apps" -> table.daemonSets();
      case "jobs.batch" -> {
        table.text("Status", "Where the job stands", TableColumns::jobStatus);
        table.text(
            "Completions",
            "Succeeded of wanted pods",
            o ->
                Json.number(o, 0, "status", "succeeded")
                    + "/"
                    + Json.number(o, 1, "spec", "completions"));
      }
      case "cronjobs.batch" -> {
        table.text("Schedule", "When it runs", o -> Json.text(o, "spec", "schedule"));
        table.text("Suspend", "Whether it pauses", o -> Json.text(o, "spec", "suspend"));
      }
      case "ingresses.networking.k8s.io" -> table.ingresses();
      case "ingressclasses.networking.k8s.io" ->
          table.text("Controller", "Who serves it", o -> Json.text(o, "spec", "controller"));
      case "leases.coordination.k8s.io" ->
          table.text("Holder", "Who holds it", o -> Json.text(o, "spec", "holderIdentity"));
      case "rolebindings.rbac.authorization.k8s.io",
          "clusterrolebindings.rbac.authorization.k8s.io" ->
          table.text(
              "Role",
              "The role that is granted",
              o -> Json.text(o, "roleRef", "kind") + "/" + Json.text(o, "roleRef", "name"));
      case "endpointslices.discovery.k8s.io" -> {
        table.text("AddressType", "Kind of address", o -> Json.text(o, "addressType"));
        table.text("Endpoints", "Addresses", TableColumns::sliceAddresses);
      }
      default -> {}
    }
    if (type.group().startsWith("rbac") && !type.plural().endsWith("bindings")) {
      table.text(
          "Created At", "When it was made", o -> Json.text(o, "metadata", "creationTimestamp"));
    } else {
      table.age("Age", o -> Json.text(o, "metadata", "creationTimestamp"));
    }
    table.behindAge(type);
    return table.columns;
  }

  private void text(String name, String description, Function<JsonNode, String> value) {
    columns.add(
        new Column(
            name, "string", description, false, (o, now) -> TextNode.valueOf(value.apply(o))));
  }

  private void wide(String name, String description, Function<JsonNode, String> value) {
    columns.add(
        new Column(
            name,
            "string",
            description,
            true,
            (o, now) -> {
              String text = value.apply(o);
              return TextNode.valueOf(text.isEmpty() ? NONE : text);
            }));
  }

  private void number(String name, String description, Function<JsonNode, Integer> value) {
    columns.add(
        new Column(
            name, "integer", description, false, (o, now) -> IntNode.valueOf(value.apply(o))));
  }

  private void age(String name, Function<JsonNode, String> time) {
    columns.add(
        new Column(
            name,
            "string",
            "Time since then",
            false,
            (o, now) -> TextNode.valueOf(since(time.apply(o), now))));
  }

  private void pods() {
    text("Ready", "Ready of all containers", PodView::ready);
    text("Status", "What the pod is doing", PodView::status);
    columns.add(
        new Column(
            "Restarts",
            "string",
            "How often its containers began anew",
            false,
            (o, now) -> TextNode.valueOf(Integer.toString(PodView.restarts(o)))));
  }

  private void services() {
    text("Type", "How it is reached", o -> Json.text(o, "spec", "type"));
    text("Cluster-IP", "Address in the cluster", o -> orNone(Json.text(o, "spec", "clusterIP")));
    text(
        "External-IP",
        "Address outside",
        o -> {
          String name = Json.text(o, "spec", "externalName");
          if (!name.isEmpty()) {
            return name;
          }
          return Json.text(o, "spec", "type").equals("LoadBalancer") ? "<pending>" : NONE;
        });
    text("Port(s)", "Ports", TableColumns::servicePorts);
  }

  private void nodes() {
    text(
        "Status",
        "Whether it takes pods",
        o -> {
          String ready = PodView.condition(o, "Ready").equals("True") ? "Ready" : "NotReady";
          boolean closed = Json.at(o, "spec", "unschedulable").asBoolean();
          return closed ? ready + ",SchedulingDisabled" : ready;
        });
    text("Roles", "Roles by label", o -> orNone(roles(o)));
  }

  private void deployments() {
    text("Ready", "Ready of wanted pods", o -> ready(o, "readyReplicas"));
    number(
        "Up-to-date",
        "Pods of the present template",
        o -> Json.number(o, 0, "status", "updatedReplicas"));
    number("Available", "Pods that serve", o -> Json.number(o, 0, "status", "availableReplicas"));
  }

  private void replicaSets() {
    number("Desired", "Wanted pods", o -> Json.number(o, 0, "spec", "replicas"));
    number("Current", "Pods", o -> Json.number(o, 0, "status", "replicas"));
    number("Ready", "Ready pods", o -> Json.number(o, 0, "status", "readyReplicas"));
  }

  private void daemonSets() {
    number("Desired", "Wanted pods", o -> Json.number(o, 0, "status", "desiredNumberScheduled"));
    number("Current", "Pods", o -> Json.number(o, 0, "status", "currentNumberScheduled"));
    number("Ready", "Ready pods", o -> Json.number(o, 0, "status", "numberReady"));
  }

  private void ingresses() {
    text("Class", "Who serves it", o -> orNone(Json.text(o, "spec", "ingressClassName")));
    text("Hosts", "Host names", TableColumns::hosts);
    text(
        "Address",
        "Where it is served",
        o -> Json.at(o, "status", "loadBalancer", "ingress").path(0).path("ip").asText());
    text("Ports", "Ports", o -> Json.at(o, "spec", "tls").isEmpty() ? "80" : "80, 443");
  }

  private void events() {
    age("Last Seen", o -> Json.text(o, "lastTimestamp"));
    text("Type", "Normal or Warning", o -> Json.text(o, "type"));
    text("Reason", "Why, in one word", o -> Json.text(o, "reason"));
    text(
        "Object",
        "What it is about",
        o ->
            PodView.lower(Json.text(o, "involvedObject", "kind"))
                + "/"
                + Json.text(o, "involvedObject", "name"));
    wide("Subobject", "Part of the object", o -> Json.text(o, "involvedObject", "fieldPath"));
    wide("Source", "Who says so", o -> Json.text(o, "source", "component"));
    text("Message", "What happened", o -> Json.text(o, "message"));
    columns.add(
        new Column(
            "First Seen",
            "string",
            "Time since the first",
            true,
            (o, now) -> TextNode.valueOf(since(Json.text(o, "firstTimestamp"), now))));
    columns.add(
        new Column(
            "Count",
            "string",
            "How often",
            true,
            (o, now) -> TextNode.valueOf(Json.text(o, "count"))));
    wide("Name", "Name of the event", Json::name);
  }

  private void behindAge(ResourceType type) {
    switch (type.qualified()) {
      case "pods" -> {
        wide("IP", "Address of the pod", o -> Json.text(o, "status", "podIP"));
        wide("Node", "Where it runs", o -> Json.text(o, "spec", "nodeName"));
        wide(
            "Nominated Node", "Where it may run", o -> Json.text(o, "status", "nominatedNodeName"));
        wide("Readiness Gates", "Further conditions", o -> "");
      }
      case "services" ->
          wide("Selector", "Labels of its pods", o -> pairs(Json.at(o, "spec", "selector")));
      case "nodes" -> {
        text(
            "Version",
            "Version of the kubelet",
            o -> Json.text(o, "status", "nodeInfo", "kubeletVersion"));
        wide(
            "Internal-IP",
            "Address in the cluster",
            o -> Json.at(o, "status", "addresses").path(0).path("address").asText());
        wide("External-IP", "Address outside", o -> "");
        wide("OS-Image", "Operating system", o -> Json.text(o, "status", "nodeInfo", "osImage"));
        wide("Kernel-Version", "Kernel", o -> Json.text(o, "status", "nodeInfo", "kernelVersion"));
        wide(
            "Container-Runtime",
            "Runs the containers",
            o -> Json.text(o, "status", "nodeInfo", "containerRuntimeVersion"));
      }
      case "deployments.apps", "replicasets.apps", "daemonsets.apps", "statefulsets.apps" -> {
        wide("Containers", "Names of its containers", o -> containers(o, "name"));
        wide("Images", "Images of its containers", o -> containers(o, "image"));
        if (!type.qualified().startsWith("stateful")) {
          wide(
              "Selector",
              "Labels of its pods",
              o -> pairs(Json.at(o, "spec", "selector", "matchLabels")));
        }
      }
      default -> {}
    }
  }

  private static String orNone(String text) {
    return text.isEmpty() ? NONE : text;
  }

  private static int keys(JsonNode object) {
    return object.path("data").size() + object.path("binaryData").size();
  }

  private static String ready(JsonNode object, String field) {
    return Json.number(object, 0, "status", field)
        + "/"
        + Json.number(object, 0, "spec", "replicas");
  }

  private static String jobStatus(JsonNode job) {
    if (PodView.condition(job, "Complete").equals("True")) {
      return "Complete";
    }
    return PodView.condition(job, "Failed").equals("True") ? "Failed" : "Running";
  }

  private static String servicePorts(JsonNode service) {
    List<String> ports = new ArrayList<>();
    for (JsonNode port : Json.at(service, "spec", "ports")) {
      String node = port.has("nodePort") ? ":" + port.path("nodePort").asText() : "";
      ports.add(port.path("port").asText() + node + "/" + Json.text(port, "protocol"));
    }
    return orNone(String.join(",", ports));
  }

  private static String endpoints(JsonNode endpoints) {
    List<String> all = new ArrayList<>();
    for (JsonNode subset : endpoints.path("subsets")) {
      for (JsonNode address : subset.path("addresses")) {
        String port = subset.path("ports").path(0).path("port").asText();
        all.add(Json.text(address, "ip") + (port.isEmpty() ? "" : ":" + port));
      }
    }
    return shorten(all);
  }

  private static String sliceAddresses(JsonNode slice) {
    List<String> all = new ArrayList<>();
    slice.path("endpoints").forEach(e -> all.add(e.path("addresses").path(0).asText()));
    return shorten(all);
  }

  private static String shorten(List<String> all) {
    if (all.size() <= 3) {
      return orNone(String.join(",", all));
    }
    return String.join(",", all.subList(0, 3)) + " + " + (all.size() - 3) + " more...";
  }

  private static String hosts(JsonNode ingress) {
    List<String> hosts = new ArrayList<>();
    Json.at(ingress, "spec", "rules").forEach(rule -> hosts.add(rule.path("host").asText("*")));
    return hosts.isEmpty() ? "*" : String.join(",", hosts);
  }

  private static String containers(JsonNode object, String field) {
    List<String> all = new ArrayList<>();
    Json.at(object, "spec", "template", "spec", "containers")
        .forEach(c -> all.add(Json.text(c, field)));
    return String.join(",", all);
  }

  private static String pairs(JsonNode labels) {
    List<String> all = new ArrayList<>();
    labels.properties().forEach(e -> all.add(e.getKey() + "=" + e.getValue().asText()));
    return String.join(",", all);
  }

  private static String roles(JsonNode node) {
    List<String> roles = new ArrayList<>();
    String prefix = "node-role.kubernetes.io/";
    Json.at(node, "metadata", "labels")
        .fieldNames()
        .forEachRemaining(
            label -> {
              if (label.startsWith(prefix)) {
                roles.add(label.substring(prefix.length()));
              }
            });
    return String.join(",", roles);
  }

  /** A time span as command lines like it: the largest unit, and the next while it is small. */
  static String since(String time, Instant now) {
    if (time.isEmpty()) {
      return "<unknown>";
    }
    try {
      return span(Duration.between(Instant.parse(time), now));
    } catch (DateTimeParseException e) {
      return "<invalid>";
    }
  }

  private static String span(Duration span) {
    long seconds = Math.max(0, span.toSeconds());
    if (seconds < 120) {
      return seconds + "s";
    }
    long minutes = seconds / 60;
    if (minutes < 10) {
      return minutes + "m" + (seconds % 60 == 0 ? "" : seconds % 60 + "s");
    }
    if (minutes < 180) {
      return minutes + "m";
    }
    long hours = minutes / 60;
    if (hours < 8) {
      return hours + "h" + (minutes % 60 == 0 ? "" : minutes % 60 + "m");
    }
    return hours < 48 ? hours + "h" : hours / 24 + "d";
  }
}
