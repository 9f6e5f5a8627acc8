package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** What is in the cluster from the beginning: the namespaces, a node, and the demo. */
final class ClusterContent {
  static final String NODE_ADDRESS = "192.0.2.10";
  private static final Resources.Write AS = new Resources.Write("sandbox", "", false);

  private final Resources resources;

  private ClusterContent(Resources resources) {
    this.resources = resources;
  }

  static void basics(Resources resources) {
    ClusterContent content = new ClusterContent(resources);
    for (String name : new String[] {"default", "kube-system", "kube-public", "kube-node-lease"}) {
      content.namespace(name);
    }
    content.node();
    content.put(
        "services",
        "default",
        """
        {"metadata": {"name": "kubernetes", "labels": {"component": "apiserver"}},
         "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]}}
        """);
    content.put(
        "ingressclasses.networking.k8s.io",
        "",
        """
        {"metadata": {"name": "sandbox"}, "spec": {"controller": "example.com/sandbox"}}
        """);
  }

  static void demo(Resources resources) {
    ClusterContent content = new ClusterContent(resources);
    content.namespace("demo");
    content.put(
        "configmaps",
        "demo",
        """
        {"metadata": {"name": "web", "labels": {"app": "web"}},
         "data": {"greeting": "Hello from the sandbox", "theme": "light"}}
        """);
    content.put(
        "deployments.apps",
        "demo",
        """
        {"metadata": {"name": "web", "labels": {"app": "web"}},
         "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
          "template": {"metadata": {"labels": {"app": "web"}},
           "spec": {"containers": [{"name": "web", "image": "registry.example.com/demo/web:1.0",
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "greeting"}}}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}}]}}}}
        """);
    content.put(
        "services",
        "demo",
        """
        {"metadata": {"name": "web", "labels": {"app": "web"}},
         "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}
        """);
    content.put(
        "ingresses.networking.k8s.io",
        "demo",
        """
        {"metadata": {"name": "web", "labels": {"app": "web"}},
         "spec": {"ingressClassName": "sandbox", "rules": [{"host": "web.example.com", "http": {"paths": [
          {"path": "/", "pathType": "Prefix",
           "backend": {"service": {"name": "web", "port": {"name": "http"}}}}]}}]}}
        """);
  }

  private void namespace(String name) {
    ObjectNode namespace = Json.object();
    Json.meta(namespace).put("name", name);
    resources.create(resources.catalog().get("namespaces"), "", namespace, AS);
  }

  private void node() {
    String now = Json.time(resources.now());
    ObjectNode node =
        parse(
            """
            {"metadata": {"name": "sandbox-node", "labels": {
              "kubernetes.io/hostname": "sandbox-node", "kubernetes.io/os": "linux",
              "kubernetes.io/arch": "amd64", "node-role.kubernetes.io/control-plane": ""}},
             "spec": {"podCIDR": "10.244.0.0/16"},
             "status": {
              "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
              "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
              "addresses": [{"type": "InternalIP", "address": "192.0.2.10"},
               {"type": "Hostname", "address": "sandbox-node"}],
              "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux", "osImage": "Sandbox",
               "kernelVersion": "none", "containerRuntimeVersion": "sandbox://1.0",
               "machineID": "sandbox", "systemUUID": "sandbox", "bootID": "sandbox",
               "kubeProxyVersion": ""},
              "conditions": []}}
            """);
    ObjectNode status = Json.child(node, "status");
    Json.child(status, "nodeInfo").put("kubeletVersion", Discovery.VERSION);
    var conditions = Json.list(status, "conditions");
    for (String type : new String[] {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"}) {
      boolean ready = type.equals("Ready");
      conditions
          .addObject()
          .put("type", type)
          .put("status", ready ? "True" : "False")
          .put("reason", ready ? "Ready" : "Enough")
          .put("message", ready ? "the node takes pods" : "there is enough of it")
          .put("lastHeartbeatTime", now)
          .put("lastTransitionTime", now);
    }
    resources.create(resources.catalog().get("nodes"), "", node, AS);
  }

  private void put(String type, String namespace, String json) {
    resources.create(resources.catalog().get(type), namespace, parse(json), AS);
  }

  private static ObjectNode parse(String json) {
    try {
      return (ObjectNode) Json.MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the content of the sandbox is no JSON", e);
    }
  }
}
